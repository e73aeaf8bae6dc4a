/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syntax of a configuration file's line, read and written. Pure.
 *
 *     # a comment             ; another one
 *     [section]               # behind it
 *     key = value             # behind it, after a blank
 *     key = " value # of ""all"" characters "
 */
#pragma once

#include <stdio.h>

enum config_line_kind { CONFIG_LINE_EMPTY, CONFIG_LINE_SECTION, CONFIG_LINE_SETTING };

struct config_line {
    enum config_line_kind kind;
    char *section, *key, *value; /* in the text that was parsed */
};

/* Takes a line apart, in place. Returns NULL, or a sentence that says what is wrong with it. */
const char *config_line_parse(char *text, struct config_line *ret);

/* Writes a value so that it is read as it is: in quotes if it needs them. */
void config_line_print_value(const char *value, FILE *out);
