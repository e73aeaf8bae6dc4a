/* SPDX-License-Identifier: Apache-2.0 */
/* Copying text into fixed arrays. */
#pragma once

#include <string.h>

/* Copies a string, cut where it is longer; NULL is empty. The array holds at least its end. */
static inline void text_copy(char *to, size_t size, const char *from)
{
    size_t length = from ? strnlen(from, size - 1) : 0;
    if (length) {
        memcpy(to, from, length);
    }
    to[length] = '\0';
}
