/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_pick.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool has_text(const struct page_kind *kind, const struct row *row, const char *filter)
{
    char cell[CELL_BYTES];
    for (int column = 0; column < kind->column_count; column++) {
        if (strcasestr(page_cell(kind, column, row, cell), filter)) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct page_kind *kind, const struct row *row, const char *filter)
{
    return (!kind->has || kind->has(row->entry)) && (!*filter || has_text(kind, row, filter));
}

struct keyed {
    struct row_key key;
    const struct row *row;
};

static int compare(const void *a, const void *b, void *order)
{
    return row_key_compare(&((const struct keyed *)a)->key, &((const struct keyed *)b)->key,
                           ((const struct pick_order *)order)->is_turned);
}

static size_t collect(struct keyed *keyed, const struct rows *rows, const struct page_kind *kind,
                      const struct pick_order *order, const char *filter)
{
    const struct column *column = page_column_of(kind, order->column);
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = rows->rows[i];
        if (is_wanted(kind, row, filter)) {
            keyed[count++] = (struct keyed){row_key_of(column, row->entry, i), row};
        }
    }
    return count;
}

bool pick(struct picked *picked, const struct rows *rows, const struct page_kind *kind, const struct pick_order *order,
          const char *filter)
{
    struct keyed *keyed = calloc(rows->count + 1, sizeof *keyed);
    const struct row **all = calloc(rows->count + 1, sizeof *all);
    struct pick_order by = *order;
    pick_free(picked);
    if (!keyed || !all) {
        free(keyed);
        free(all);
        return false;
    }
    size_t count = collect(keyed, rows, kind, order, filter);
    qsort_r(keyed, count, sizeof *keyed, compare, &by);
    for (size_t i = 0; i < count; i++) {
        all[i] = keyed[i].row;
    }
    free(keyed);
    *picked = (struct picked){all, count};
    return true;
}

void pick_free(struct picked *picked)
{
    free(picked->rows);
    *picked = (struct picked){NULL, 0};
}

bool pick_order_named(const struct page_kind *kind, const char *text, struct pick_order *ret)
{
    bool is_turned = *text == '-';
    for (int column = 0; column < kind->column_count; column++) {
        const struct page_column *own = &kind->columns[column];
        if (own->key &&
            (strcasecmp(own->key, text + is_turned) == 0 || strcasecmp(own->heading, text + is_turned) == 0)) {
            *ret = (struct pick_order){column, is_turned};
            return true;
        }
    }
    return false;
}
