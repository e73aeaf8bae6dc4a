/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A screen as text: characters in rows and columns, each with a style. What lies outside is cut off, and a character
 * that a terminal can't show, or that could change it, becomes a question mark: texts are other users' data. Pure, but
 * for the locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

enum grid_style {
    STYLE_PLAIN,
    STYLE_TITLE,
    STYLE_FAINT,
    STYLE_CHOSEN,
    STYLE_ALARM,
    STYLE_LEASED,
    STYLE_POOLED,
    STYLE_FREEING,
    STYLE_RESERVED,
    STYLES
};

struct grid_cell {
    wchar_t character; /* L'\0': the right half of the one before */
    enum grid_style style;
};

struct grid {
    int width, height;
    bool is_ascii;           /* the terminal shows nothing else */
    struct grid_cell *cells; /* row after row */
};

/* All blank. NULL: no memory. The caller frees it. */
struct grid *grid_new(int width, int height, bool is_ascii);
void grid_free(struct grid *grid);

/* The cell; NULL: it is outside. */
const struct grid_cell *grid_at(const struct grid *grid, int row, int column);

/* One character, of one column, `count` times. */
void grid_repeat(const struct grid *grid, int row, int column, int count, enum grid_style style, wchar_t character);

/* Puts a text into at most `width` columns. Returns how many it took. */
int grid_put(const struct grid *grid, int row, int column, int width, enum grid_style style, const char *text);

/* The same, at the right end of these columns. */
void grid_put_right(const struct grid *grid, int row, int column, int width, enum grid_style style, const char *text);

/* Gives a whole row one style. */
void grid_paint(const struct grid *grid, int row, enum grid_style style);

/* Writes it as lines, without the blanks at their ends. */
void grid_print(const struct grid *grid, FILE *file);
