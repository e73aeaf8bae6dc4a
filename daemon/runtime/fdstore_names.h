/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names under which descriptors are kept: a letter for the kind, and the record's number to the base 62. They are
 * short because a daemon is handed all of them in one environment variable (LISTEN_FDNAMES), and the kernel allows a
 * variable 128 KiB: hence also the most that is kept, and numbers of three digits.
 */
#pragma once

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/runtime/segments.h"
#include "proto/control_page.h"

/* Of a session's first control page; the others are 'A' and on. Segments have the letters of their backends. */
enum { FDSTORE_CONTROL = 'c' };

#define FDSTORE_TABLE "membroker-table"

enum { FDSTORE_NAME_BYTES = 8, FDSTORE_NAMES_MAX = 25000, FDSTORE_NUMBERS_MAX = 62 * 62 * 62 };

static inline const char *fdstore_name(char kind, uint32_t record, char *name)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char *at = name;
    *at++ = kind;
    do {
        *at++ = digits[record % 62];
        record /= 62;
    } while (record && at < name + FDSTORE_NAME_BYTES - 1);
    *at = '\0';
    return name;
}

/* Whether a descriptor of this name may be one of ours. */
static inline bool fdstore_is_name(const char *name)
{
    size_t length = strlen(name);
    bool is_ours =
        length >= 2 && length < FDSTORE_NAME_BYTES && (strchr("cABCDEF", name[0]) || backend_kept_as(name[0]));
    for (size_t i = 1; is_ours && i < length; i++) {
        is_ours = isalnum((unsigned char)name[i]);
    }
    return is_ours;
}

_Static_assert(CONTROL_PAGES_MAX == 7, "each place has its letter");

static inline char fdstore_control_kind(unsigned place)
{
    return place == 0 ? (char)FDSTORE_CONTROL : (char)('A' + (int)place - 1);
}
