/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from elsewhere, made fit for a terminal. */
#pragma once

#include <stdio.h>

/* Writes the text, with a question mark for each character that the locale can't print: control characters could
 * change the terminal. */
void text_print(FILE *file, const char *text);

/* Copies the text; if it is longer than the array, the copy ends in dots. Returns `ret`. */
char *text_shorten(char *ret, size_t size, const char *text);
