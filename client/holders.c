/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the largest holders, and makes a sentence of them. */
#include "client/holders.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/size.h"

void holders_add(struct local_holder *holders, const char *kind, const char *name, uint64_t bytes)
{
    for (size_t i = 0; i < HOLDERS_MAX; i++) {
        if (bytes > holders[i].bytes) {
            memmove(&holders[i + 1], &holders[i], (HOLDERS_MAX - 1 - i) * sizeof *holders);
            holders[i] = (struct local_holder){.kind = kind, .bytes = bytes};
            (void)stpncpy(holders[i].name, name, sizeof holders[i].name - 1);
            return;
        }
    }
}

void holders_describe(const struct local_holder *holders, char *text)
{
    char bytes[SIZE_TEXT_BYTES];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < HOLDERS_MAX && holders[i].bytes > 0 && length < HOLDERS_TEXT_BYTES; i++) {
        bool is_last = i + 1 == HOLDERS_MAX || holders[i + 1].bytes == 0;
        const char *before = i == 0 ? " In this process most is held by " : ", ";
        const char *quote = holders[i].name[0] ? "\"" : "";
        const char *name = holders[i].name[0] ? holders[i].name : "without a name";
        int written = snprintf(text + length, HOLDERS_TEXT_BYTES - length, "%s%s %s%s%s %s%s", before, holders[i].kind,
                               quote, name, quote, size_to_text(holders[i].bytes, bytes), is_last ? "." : "");
        length += written > 0 ? (size_t)written : 0;
    }
}
