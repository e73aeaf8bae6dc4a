/* SPDX-License-Identifier: Apache-2.0 */
/* Text: copying into fixed arrays, cutting between characters, plurals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Copies a string, cut where it is longer; NULL is empty. The array holds at least its end. */
static inline void text_copy(char *to, size_t size, const char *from)
{
    if (!memccpy(to, from ? from : "", '\0', size)) {
        to[size - 1] = '\0';
    }
}

/* Removes what a cut has left of the last character: a UTF-8 text stays one wherever it was cut. */
static inline void text_end_whole(char *text)
{
    size_t end = strlen(text), start = end;
    while (start > 0 && end - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    unsigned char lead = start > 0 ? (unsigned char)text[start - 1] : 0;
    size_t lacks = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (lacks > end - start) {
        text[start - 1] = '\0';
    }
}

static inline bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What a regular noun ends with after the number: "1 lease", "2 leases". */
static inline const char *text_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}
