/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups by name or number. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/access.h"

/* Reads a decimal number of at most `most`. False: the text is anything else. */
bool number_from_text(const char *text, uint32_t most, uint32_t *ret);

/* False: no user or group has that name, and it is not a number. */
bool user_from_text(const char *text, uint32_t *ret);
bool group_from_text(const char *text, uint32_t *ret);

/* "NAME (NUMBER)", or the number alone, for errors; `text` is returned. */
const char *user_name(uint32_t uid, char *text, size_t size);

enum { IDS_WRONG_BYTES = 160 };

/* Reads names or numbers, separated by spaces or commas. Returns what is wrong, or NULL; wrong[IDS_WRONG_BYTES] may
 * hold it. */
const char *users_from_text(const char *text, struct access_list *ret, char *wrong);
const char *groups_from_text(const char *text, struct access_list *ret, char *wrong);
