/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from elsewhere, made fit for a terminal. */
#pragma once

#include <stdio.h>

/* Writes the text, with a question mark for each character that the locale can't print: control characters could
 * change the terminal. */
void text_print(FILE *file, const char *text);
