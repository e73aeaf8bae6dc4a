/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_grid.h"

#include <stdlib.h>
#include <string.h>

struct grid *grid_new(int width, int height, bool is_ascii)
{
    struct grid *grid = malloc(sizeof *grid);
    size_t count = (size_t)width * (size_t)height;
    struct grid_cell *cells = calloc(count ? count : 1, sizeof *cells);
    if (!grid || !cells) {
        free(grid);
        free(cells);
        return NULL;
    }
    *grid = (struct grid){width, height, is_ascii, cells};
    for (int row = 0; row < height; row++) {
        grid_repeat(grid, row, 0, width, STYLE_PLAIN, L' ');
    }
    return grid;
}

void grid_free(struct grid *grid)
{
    if (grid) {
        free(grid->cells);
        free(grid);
    }
}

static struct grid_cell *cell_at(const struct grid *grid, int row, int column)
{
    bool is_inside = row >= 0 && row < grid->height && column >= 0 && column < grid->width;
    return is_inside ? &grid->cells[(size_t)row * (size_t)grid->width + (size_t)column] : NULL;
}

const struct grid_cell *grid_at(const struct grid *grid, int row, int column)
{
    return cell_at(grid, row, column);
}

static void set(const struct grid *grid, int row, int column, enum grid_style style, wchar_t character)
{
    struct grid_cell *cell = cell_at(grid, row, column);
    if (cell) {
        *cell = (struct grid_cell){character, style};
    }
}

void grid_repeat(const struct grid *grid, int row, int column, int count, enum grid_style style, wchar_t character)
{
    for (int i = 0; i < count; i++) {
        set(grid, row, column + i, style, character);
    }
}

/* The next character of a text, which moves on; a question mark if a terminal can't show it in one or two columns. */
static wchar_t next_character(const struct grid *grid, const char **text, int *ret_width)
{
    wchar_t character = L'\0';
    mbstate_t state = {0};
    size_t length = mbrtowc(&character, *text, strlen(*text), &state);
    bool is_whole = length > 0 && length <= strlen(*text);
    int width = is_whole ? wcwidth(character) : -1;
    bool is_shown = width > 0 && width <= 2 && (!grid->is_ascii || character < 0x7f);
    *text += is_whole ? length : 1;
    *ret_width = is_shown ? width : 1;
    return is_shown ? character : L'?';
}

int grid_put(const struct grid *grid, int row, int column, int width, enum grid_style style, const char *text)
{
    int taken = 0;
    while (*text) {
        int own_width;
        wchar_t character = next_character(grid, &text, &own_width);
        if (taken + own_width > width || column + taken + own_width > grid->width) {
            break;
        }
        set(grid, row, column + taken, style, character);
        if (own_width == 2) {
            set(grid, row, column + taken + 1, style, L'\0');
        }
        taken += own_width;
    }
    return taken;
}

static int width_of(const struct grid *grid, const char *text)
{
    int width = 0;
    while (*text) {
        int own_width;
        (void)next_character(grid, &text, &own_width);
        width += own_width;
    }
    return width;
}

void grid_put_right(const struct grid *grid, int row, int column, int width, enum grid_style style, const char *text)
{
    int own_width = width_of(grid, text);
    int before = own_width < width ? width - own_width : 0;
    (void)grid_put(grid, row, column + before, width - before, style, text);
}

void grid_paint(const struct grid *grid, int row, enum grid_style style)
{
    for (int column = 0; column < grid->width; column++) {
        struct grid_cell *cell = cell_at(grid, row, column);
        if (cell) {
            cell->style = style;
        }
    }
}

void grid_print(const struct grid *grid, FILE *file)
{
    for (int row = 0; row < grid->height; row++) {
        const struct grid_cell *cells = &grid->cells[(size_t)row * (size_t)grid->width];
        int end = grid->width;
        while (end > 0 && cells[end - 1].character == L' ') {
            end--;
        }
        for (int column = 0; column < end; column++) {
            if (cells[column].character != L'\0') {
                (void)fprintf(file, "%lc", (wint_t)cells[column].character);
            }
        }
        (void)fputc('\n', file);
    }
}
