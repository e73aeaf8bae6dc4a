/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that takes a const away: for functions that only read what they are given and don't say so in their
 * types, as sendmsg() with its vector, execv(), munmap(), and the lookups of libbsd's trees.
 */
#pragma once

#include <string.h>

static inline void *without_const(const void *pointer)
{
    void *same;
    memcpy(&same, &pointer, sizeof same);
    return same;
}
