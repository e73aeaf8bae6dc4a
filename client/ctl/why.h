/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker says about requests that wait or were refused, for people. */
#pragma once

#include <stdio.h>

#include "proto/message.h"

/* `session`: the one that was asked about; 0: all. */
void why_write(FILE *file, const struct why_reply *why, uint64_t session);
