/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of answers and events: to encode one and decode it again, and to compare a field of both. */
#pragma once

#include <criterion/criterion.h>

#include "proto/codec.h"

#define SAME(field)      cr_expect_eq(back->field, sent->field, "%s", #field)
#define SAME_TEXT(field) cr_expect_str_eq(back->field, sent->field, "%s", #field)

/* What arrives if `reply` is sent. It is valid until the next call. */
struct reply reply_back(const struct reply *reply);
