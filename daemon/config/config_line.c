/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/config_line.h"

#include <stdbool.h>
#include <string.h>

static const char blanks[] = " \t\r\n\f\v";

static bool is_comment(char c)
{
    return c == '#' || c == ';';
}

static char *skip_blanks(char *text)
{
    return text + strspn(text, blanks);
}

static void cut_blanks(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1])) {
        length--;
    }
    text[length] = '\0';
}

/* A comment begins at # or ; after a blank, so that names and paths may have these characters in them. */
static const char *find_comment(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (strchr(blanks, *at) && is_comment(at[1])) {
            return at;
        }
    }
    return NULL;
}

static bool is_end(const char *text)
{
    text += strspn(text, blanks);
    return !*text || is_comment(*text);
}

static const char *parse_section(char *text, struct config_line *ret)
{
    char *end = strchr(text, ']');
    if (!end) {
        return "the section is not closed: a ] is missing";
    }
    if (!is_end(end + 1)) {
        return "there is text after the section's ]; a key belongs on a line of its own";
    }
    *end = '\0';
    ret->kind = CONFIG_LINE_SECTION;
    ret->section = skip_blanks(text);
    cut_blanks(ret->section);
    return NULL;
}

/* Takes the quotes off, in place; two of them inside stand for one. */
static const char *unquote(char *text)
{
    const char *from = text + 1;
    char *to = text;
    while (*from && (*from != '"' || from[1] == '"')) {
        from += *from == '"';
        *to++ = *from++;
    }
    if (*from != '"') {
        return "the value's closing \" is missing";
    }
    if (!is_end(from + 1)) {
        return "there is text after the value's closing \"";
    }
    *to = '\0';
    return NULL;
}

static const char *parse_value(char *text, struct config_line *ret)
{
    ret->value = skip_blanks(text);
    if (*ret->value == '"') {
        return unquote(ret->value);
    }
    const char *comment = find_comment(text);
    if (comment) {
        text[comment - text] = '\0';
        ret->value = skip_blanks(text);
    }
    cut_blanks(ret->value);
    return NULL;
}

const char *config_line_parse(char *text, struct config_line *ret)
{
    *ret = (struct config_line){.kind = CONFIG_LINE_EMPTY};
    text = skip_blanks(text);
    if (is_end(text)) {
        return NULL;
    }
    if (*text == '[') {
        return parse_section(text + 1, ret);
    }
    char *end = strpbrk(text, "=:");
    if (!end) {
        return "the line is neither [section] nor key = value nor a comment";
    }
    *end = '\0';
    cut_blanks(text);
    ret->kind = CONFIG_LINE_SETTING;
    ret->key = text;
    return parse_value(end + 1, ret);
}

static bool needs_quotes(const char *value)
{
    size_t length = strlen(value);
    return length > 0 && (*value == '"' || is_comment(*value) || find_comment(value) || strchr(blanks, *value) ||
                          strchr(blanks, value[length - 1]));
}

void config_line_print_value(const char *value, FILE *out)
{
    if (!needs_quotes(value)) {
        (void)fputs(value, out);
        return;
    }
    (void)fputc('"', out);
    for (; *value; value++) {
        (void)fprintf(out, *value == '"' ? "\"\"" : "%c", *value);
    }
    (void)fputc('"', out);
}
