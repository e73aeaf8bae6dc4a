/* SPDX-License-Identifier: Apache-2.0 */
/* Copying text into fixed arrays. */
#pragma once

#include <stdio.h>

/* Copies a string, cut where it is longer; NULL is empty. */
static inline void text_copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}
