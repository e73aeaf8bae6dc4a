/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many rows have a number up to this one. */
static size_t count_upto(const struct rows *rows, uint64_t number)
{
    size_t low = 0, high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows->rows[middle]->number <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct row *find_by_number(const struct rows *rows, uint64_t number)
{
    size_t at = number ? count_upto(rows, number - 1) : 0;
    return at < rows->count && rows->rows[at]->number == number ? rows->rows[at] : NULL;
}

const struct row *rows_find(const struct rows *rows, uint64_t key)
{
    if (rows->is_by_number) {
        return find_by_number(rows, key);
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i]->key == key) {
            return rows->rows[i];
        }
    }
    return NULL;
}

static struct row *row_new(const struct rows *rows, const void *entry, uint64_t now_ms)
{
    struct row *row = calloc(1, sizeof *row + rows->listing->entry_size);
    if (!row) {
        return NULL;
    }
    row->number = column_number(&rows->listing->columns[0], entry);
    row->key = rows->is_by_number ? row->number : rows->key(entry);
    memcpy(row->entry, entry, rows->listing->entry_size);
    const struct row *before = rows_find(rows, row->key);
    if (before) {
        row->history = before->history;
    }
    history_note(&row->history, now_ms, rows->value(entry));
    return row;
}

static void free_rows(struct row **rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(rows[i]);
    }
}

/* The rows of a page: how many, or -1 if there is no memory. */
static int rows_of_page(const struct rows *rows, const struct listing_reply *page, uint64_t now_ms, struct row **ret)
{
    const void *entry;
    size_t count = 0;
    while ((entry = rows->listing->entry(page, count))) {
        ret[count] = row_new(rows, entry, now_ms);
        if (!ret[count]) {
            free_rows(ret, count);
            return -1;
        }
        count++;
    }
    return (int)count;
}

static size_t size_of_page(const struct rows *rows, const struct listing_reply *page)
{
    size_t count = 0;
    while (rows->listing->entry(page, count)) {
        count++;
    }
    return count;
}

static void copy(struct row **to, struct row *const *from, size_t count)
{
    if (count > 0) { /* memcpy() takes no null pointer, not even for nothing */
        memcpy(to, from, count * sizeof *to);
    }
}

/* Puts rows in the place of those from `first` to `end`. */
static void replace(struct rows *rows, size_t first, size_t end, struct row **all, struct row *const *with,
                    size_t count)
{
    copy(all, rows->rows, first);
    copy(all + first, with, count);
    copy(all + first + count, rows->rows + end, rows->count - end);
    free_rows(rows->rows + first, end - first);
    free(rows->rows);
    rows->rows = all;
    rows->count += count - (end - first);
}

int rows_take_page(struct rows *rows, uint64_t after, const struct listing_reply *page, uint64_t now_ms,
                   uint64_t *ret_after)
{
    size_t room = size_of_page(rows, page);
    struct row **all = calloc(rows->count + room + 1, sizeof *all), **with = calloc(room + 1, sizeof *with);
    int count = all && with ? rows_of_page(rows, page, now_ms, with) : -1;
    if (count < 0) {
        free(all);
        free(with);
        return -ENOMEM;
    }
    bool has_more = page->more && count > 0;
    uint64_t last = has_more ? with[count - 1]->number : UINT64_MAX;
    replace(rows, count_upto(rows, after), count_upto(rows, last), all, with, (size_t)count);
    free(with);
    *ret_after = has_more ? last : 0;
    return 0;
}

void rows_clear(struct rows *rows)
{
    free_rows(rows->rows, rows->count);
    free(rows->rows);
    rows->rows = NULL;
    rows->count = 0;
    rows->after = 0;
    rows->is_complete = false;
}
