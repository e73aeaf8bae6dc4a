/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from elsewhere, made fit for a terminal. */
#pragma once

#include <stdio.h>

/* Writes the text with a question mark for whatever the locale cannot print: a control character could move the
 * cursor or worse. */
void text_print(FILE *file, const char *text);
