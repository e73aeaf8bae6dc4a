/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_table.h"

#include "client/ctl/top_chart.h"

enum { COLUMNS_MAX = 16, RANKS = 8, FLEXIBLE_MAX = 40 };

/* ---- which columns, and how wide ---- */

/* The widths of the columns; 0: there is no room for it. */
static void fit(const struct page_kind *kind, int room, int widths[COLUMNS_MAX])
{
    int left = room + 1;
    for (int column = 0; column < kind->column_count; column++) {
        widths[column] = 0;
    }
    for (int rank = 1; rank < RANKS; rank++) {
        for (int column = 0; column < kind->column_count; column++) {
            const struct page_column *own = &kind->columns[column];
            if (own->rank == rank && own->width < left) {
                widths[column] = own->width;
                left -= own->width + 1;
            }
        }
    }
    int more = FLEXIBLE_MAX - widths[kind->flexible];
    more = left < more ? left : more;
    widths[kind->flexible] += widths[kind->flexible] ? more : 0;
    int last = kind->column_count - 1, rest = HISTORY_SAMPLES - widths[last];
    rest = left - more < rest ? left - more : rest;
    widths[last] += widths[last] ? rest : 0;
}

/* ---- drawing ---- */

static void put(const struct grid *grid, int row, int at, int width, bool is_right, enum grid_style style,
                const char *text)
{
    if (is_right) {
        grid_put_right(grid, row, at, width, style, text);
    } else {
        (void)grid_put(grid, row, at, width, style, text);
    }
}

/* The column by which the rows are ordered has a mark. */
static void draw_headings(const struct grid *grid, int row, const struct view *view, const int widths[COLUMNS_MAX])
{
    const struct page_kind *kind = &page_kinds[view->page];
    const struct pick_order *order = &view->orders[view->page];
    grid_paint(grid, row, STYLE_TITLE);
    for (int column = 0, at = 0; column < kind->column_count; column++) {
        char heading[48];
        bool is_sorted = column == order->column;
        const char *mark = !is_sorted ? "" : order->is_turned ? "^" : "v";
        (void)snprintf(heading, sizeof heading, "%s%s", kind->columns[column].heading, mark);
        if (widths[column]) {
            put(grid, row, at, widths[column], page_is_number(kind, column), STYLE_TITLE, heading);
            at += widths[column] + 1;
        }
    }
}

static void draw_row(const struct grid *grid, int at_row, const struct row *row, const struct page_kind *kind,
                     const int widths[COLUMNS_MAX], enum grid_style style)
{
    for (int column = 0, at = 0; column < kind->column_count; column++) {
        char cell[CELL_BYTES];
        const char *text = page_cell(kind, column, row, cell);
        if (!widths[column]) {
            continue;
        }
        if (kind->columns[column].key) {
            put(grid, at_row, at, widths[column], page_is_number(kind, column), style, *text ? text : "-");
        } else {
            chart_line(grid, at_row, at, widths[column], row->history.samples, HISTORY_SAMPLES);
        }
        at += widths[column] + 1;
    }
}

static void draw_nothing(const struct grid *grid, int row, const struct layout *layout)
{
    const struct view *view = layout->view;
    const struct rows *rows = &layout->model->tables[page_kinds[view->page].table];
    const char *none = *view->filter ? "nothing fits the filter" : rows->listing->none;
    (void)grid_put(grid, row, 0, grid->width, STYLE_FAINT, layout->model->has_status ? none : "");
}

void table_draw(const struct grid *grid, int row, size_t height, const struct layout *layout)
{
    const struct view *view = layout->view;
    const struct page_kind *kind = &page_kinds[view->page];
    int widths[COLUMNS_MAX];
    fit(kind, grid->width, widths);
    draw_headings(grid, row, view, widths);
    for (size_t i = 0; i < height && view->first + i < layout->picked->count; i++) {
        bool is_chosen = view->first + i == view->at;
        int own = row + 1 + (int)i;
        draw_row(grid, own, layout->picked->rows[view->first + i], kind, widths, STYLE_PLAIN);
        if (is_chosen) {
            grid_paint(grid, own, STYLE_CHOSEN);
        }
    }
    if (layout->picked->count == 0) {
        draw_nothing(grid, row + 1, layout);
    }
}
