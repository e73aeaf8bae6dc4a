/* SPDX-License-Identifier: Apache-2.0 */
/* Users by name: looked up once each, and not at all with --numeric. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

/* No user is looked up from now on. */
void users_stay_numbers(void);
bool users_have_names(void);

/* The name of a user, valid until the end; "": there is none, or names are not wanted. */
const char *user_name(uint32_t uid);

/* "user alice, uid 1000", or "uid 1000", into text[USER_TEXT_BYTES], which it returns. */
enum { USER_TEXT_BYTES = 96 };
const char *user_to_text(uint32_t uid, char *text);

/* The uid of a user who is named, or whose number is given: CTL_DONE, or CTL_USAGE after a message. */
int user_from_text(const char *option, const char *text, uint32_t *ret);

/* The same of a group. */
int group_from_text(const char *option, const char *text, uint32_t *ret);

/* Who may have what is shared: "user", "group:GROUP" or "all". *ret_gid is set for a group. */
int access_from_text(const char *option, const char *text, mb_access *ret, uint32_t *ret_gid);
