/* SPDX-License-Identifier: Apache-2.0 */
/* Printing what the broker answered, as JSON or as text. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Prints a JSON document, on one line if `compact`, flushes, and frees it. False if there is none: no memory. */
bool print_json(json_t *document, bool compact);

/* A text as a JSON value; null if it is empty. */
json_t *json_text(const char *text);

/* An array of the lines of a text. */
json_t *json_lines(const char *text);

/* Prints the lines of a status's warnings, each marked as one. */
void print_warnings(const char *lines);

/* A number and its noun, "1 segment" or "2 segments", into text[COUNT_BYTES], which it returns. */
enum { COUNT_BYTES = 64 };
const char *count_to_text(uint64_t count, const char *noun, char *text);
