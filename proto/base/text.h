/* SPDX-License-Identifier: Apache-2.0 */
/* Text: copying into fixed arrays, plurals. */
#pragma once

#include <stdint.h>
#include <string.h>

/* Copies a string, cut where it is longer; NULL is empty. The array holds at least its end. */
static inline void text_copy(char *to, size_t size, const char *from)
{
    if (!memccpy(to, from ? from : "", '\0', size)) {
        to[size - 1] = '\0';
    }
}

/* What a regular noun ends with after the number: "1 lease", "2 leases". */
static inline const char *text_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}
