/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents and pieces of text. */
#include "client/ctl/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/text.h"

bool print_json(json_t *document, bool compact)
{
    if (!document) {
        return false;
    }
    (void)json_dumpf(document, stdout, JSON_REAL_PRECISION(9) | (compact ? JSON_COMPACT : JSON_INDENT(2)));
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(document);
    return true;
}

/* JSON is UTF-8. If a text is not, a question mark replaces each byte that is not ASCII. */
static json_t *text_in_ascii(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; at && *at; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    json_t *value = copy ? json_string(copy) : NULL;
    free(copy);
    return value;
}

json_t *json_text(const char *text)
{
    if (!*text) {
        return json_null();
    }
    json_t *value = json_string(text);
    return value ? value : text_in_ascii(text);
}

/* Calls `take` with each line. */
static void each_line(const char *lines, void (*take)(const char *line, void *data), void *data)
{
    char line[1024];
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)length, lines);
        take(line, data);
        lines += length + (lines[length] != '\0');
    }
}

static void append_line(const char *line, void *array)
{
    (void)json_array_append_new(array, json_text(line));
}

json_t *json_lines(const char *text)
{
    json_t *array = json_array();
    each_line(text, append_line, array);
    return array;
}

static void print_warning(const char *line, void *data)
{
    (void)data;
    printf("WARNING: ");
    text_print(stdout, line);
    (void)putchar('\n');
}

void print_warnings(const char *lines)
{
    each_line(lines, print_warning, NULL);
}

const char *count_to_text(uint64_t count, const char *noun, char *text)
{
    (void)snprintf(text, COUNT_BYTES, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
    return text;
}
