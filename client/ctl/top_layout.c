/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_layout.h"

#include <string.h>

#include "client/ctl/top_head.h"
#include "client/ctl/top_table.h"

enum { TABS_ROW = HEAD_ROWS, TABLE_ROW = TABS_ROW + 1, FIRST_ROW = TABLE_ROW + 1, LAYOUT_WIDTH = 40 };

size_t layout_table_height(int height)
{
    return height > FIRST_ROW + 1 ? (size_t)(height - FIRST_ROW - 1) : 0;
}

size_t layout_text_height(int height)
{
    return height > TABLE_ROW + 1 ? (size_t)(height - TABLE_ROW - 1) : 0;
}

/* ---- the tabs ---- */

static void draw_tabs(const struct grid *grid, const struct layout *layout)
{
    int column = 0;
    for (enum page page = 0; page < PAGES; page++) {
        char tab[32];
        enum grid_style style = page == layout->view->page ? STYLE_CHOSEN : STYLE_PLAIN;
        (void)snprintf(tab, sizeof tab, " %d %s ", (int)page + 1, page_kinds[page].name);
        column += grid_put(grid, TABS_ROW, column, grid->width - column, style, tab);
    }
    if (*layout->view->filter || layout->view->mode == VIEW_FILTER) {
        char filter[VIEW_FILTER_BYTES + 16];
        (void)snprintf(filter, sizeof filter, "filter: %s%s", layout->view->filter,
                       layout->view->mode == VIEW_FILTER ? "_" : "");
        grid_put_right(grid, TABS_ROW, column + 1, grid->width - column - 1, STYLE_TITLE, filter);
    }
}

/* ---- the last row ---- */

/* How old the rows may be of a table that one refresh does not read as a whole. */
static void write_age(const struct layout *layout, char *text, size_t size)
{
    const struct rows *rows = &layout->model->tables[page_kinds[layout->view->page].table];
    uint64_t age = layout->now_ms > rows->complete_ms ? (layout->now_ms - rows->complete_ms) / 1000 : 0;
    text[0] = '\0';
    if (rows->is_complete && age >= 3) {
        (void)snprintf(text, size, ", read over %llu s", (unsigned long long)age);
    }
}

static void draw_place(const struct grid *grid, const struct layout *layout)
{
    char age[48], place[96];
    write_age(layout, age, sizeof age);
    (void)snprintf(place, sizeof place, "%zu of %zu%s", layout->picked->count ? layout->view->at + 1 : 0,
                   layout->picked->count, age);
    grid_put_right(grid, grid->height - 1, 0, grid->width, STYLE_FAINT, place);
}

/* How many lines of a text are below the screen. */
static void draw_lines_below(const struct grid *grid, const struct view *view)
{
    char text[48] = "the end";
    size_t shown = view->first_line + layout_text_height(grid->height), lines = view_text_lines(view);
    if (lines > shown) {
        (void)snprintf(text, sizeof text, "%zu more line%s below", lines - shown, lines - shown == 1 ? "" : "s");
    }
    grid_put_right(grid, grid->height - 1, 0, grid->width, STYLE_TITLE, text);
}

static void draw_foot(const struct grid *grid, const struct layout *layout)
{
    static const char *const keys[] = {
        [VIEW_TABLE] = "?help q quit / filter <> sort r turn k revoke w why",
        [VIEW_FILTER] = "type to filter, Enter keeps it, Esc clears it",
        [VIEW_CONFIRM] = "",
        [VIEW_TEXT] = "up, down scroll, other keys go back",
    };
    static const char block_keys[] = "?help q quit / filter <> sort r turn k unpublish w why";
    const struct view *view = layout->view;
    int row = grid->height - 1;
    if (*view->message) {
        const char *ask = view->mode == VIEW_CONFIRM ? "? y or n" : "";
        int room = grid->width - (int)strlen(ask); /* a long name must not push the answers off the screen */
        grid_paint(grid, row, STYLE_ALARM);
        int taken = grid_put(grid, row, 0, room, STYLE_ALARM, view->message);
        (void)grid_put(grid, row, taken, grid->width - taken, STYLE_ALARM, ask);
        return;
    }
    if (view->mode == VIEW_TEXT) {
        draw_lines_below(grid, view);
    } else {
        draw_place(grid, layout);
    }
    const char *shown = view->mode == VIEW_TABLE && view->page == PAGE_BLOCKS ? block_keys : keys[view->mode];
    (void)grid_put(grid, row, 0, grid->width, STYLE_FAINT, shown);
}

/* ---- a text ---- */

static void draw_text(const struct grid *grid, const struct view *view)
{
    const char *line = view->text;
    int row = TABLE_ROW;
    for (size_t number = 0; line && *line && row < grid->height - 1; number++) {
        char part[512];
        size_t length = strcspn(line, "\n");
        (void)snprintf(part, sizeof part, "%.*s", (int)length, line);
        if (number >= view->first_line) {
            (void)grid_put(grid, row++, 0, grid->width, STYLE_PLAIN, part);
        }
        line += length + (line[length] != '\0');
    }
}

/* A question is shown in any case: a key answers it. */
static void draw_too_small(const struct grid *grid, const struct layout *layout)
{
    enum { ROWS = FIRST_ROW + 2 };
    char text[64];
    (void)snprintf(text, sizeof text, "too small: %dx%d needed", LAYOUT_WIDTH, ROWS);
    (void)grid_put(grid, 0, 0, grid->width, STYLE_ALARM, text);
    if (layout->view->mode == VIEW_CONFIRM && grid->height > 1) {
        draw_foot(grid, layout);
    }
}

void layout_draw(const struct grid *grid, const struct layout *layout)
{
    const struct view *view = layout->view;
    if (grid->width < LAYOUT_WIDTH || layout_table_height(grid->height) == 0) {
        draw_too_small(grid, layout);
        return;
    }
    head_draw(grid, layout);
    draw_tabs(grid, layout);
    if (view->mode == VIEW_TEXT) {
        draw_text(grid, view);
    } else {
        table_draw(grid, TABLE_ROW, layout_table_height(grid->height), layout);
    }
    draw_foot(grid, layout);
}
