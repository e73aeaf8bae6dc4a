/* SPDX-License-Identifier: Apache-2.0 */
/* Copying text into fixed arrays. */
#pragma once

#include <string.h>

/* Copies a string, cut where it is longer; NULL is empty. The array holds at least its end. */
static inline void text_copy(char *to, size_t size, const char *from)
{
    if (!memccpy(to, from ? from : "", '\0', size)) {
        to[size - 1] = '\0';
    }
}
