/* SPDX-License-Identifier: Apache-2.0 */
/* Page after page into rows, which are ordered when all are there. */
#include "client/ctl/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/ctl/table.h"

/* One of the two, as the options say. */
struct row {
    struct row_key key;
    json_t *object;
    struct libscols_line *line;
};

struct listing {
    const struct listing_kind *kind;
    const struct ctl_options *options;
    struct row_order order;
    struct row *rows;
    size_t count, room;
};

/* ---- collecting ---- */

static bool make_room(struct listing *listing)
{
    if (listing->count < listing->room) {
        return true;
    }
    size_t room = listing->room ? 2 * listing->room : 64;
    struct row *rows = reallocarray(listing->rows, room, sizeof *rows);
    listing->rows = rows ? rows : listing->rows;
    listing->room = rows ? room : listing->room;
    return rows;
}

/* False: no memory. */
static bool add_row(struct listing *listing, const void *entry)
{
    const struct listing_kind *kind = listing->kind;
    if (!make_room(listing)) {
        return false;
    }
    struct row row = {.key = row_key_of(listing->order.column, entry, listing->count)};
    if (listing->options->json) {
        row.object = columns_to_json(kind->columns, kind->column_count, entry);
    } else {
        row.line = columns_to_line(kind->columns, kind->column_count, entry);
    }
    listing->rows[listing->count] = row;
    listing->count += row.object || row.line;
    return row.object || row.line;
}

/* Returns how many entries the page has; -1: no memory. */
static int take_page(struct listing *listing, const struct listing_reply *page, uint64_t *last)
{
    const struct listing_kind *kind = listing->kind;
    const void *entry;
    int count = 0;
    while ((entry = kind->entry(page, (size_t)count))) {
        struct row_facts facts = {0};
        kind->facts(entry, &facts);
        *last = column_number(&kind->columns[0], entry);
        bool is_wanted = selection_wants(&facts) && (!kind->wants || kind->wants(entry));
        if (is_wanted && !add_row(listing, entry)) {
            return -1;
        }
        count++;
    }
    return count;
}

static int collect(struct listing *listing)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = listing->kind->what}};
    const struct reply *reply;
    bool is_moving;
    int count;
    do {
        int result = ctl_ask(listing->options, &request, &reply);
        if (result != CTL_DONE) {
            return result;
        }
        uint64_t looked_at = reply->listing.last;
        count = take_page(listing, &reply->listing, &request.list.after);
        request.list.after = looked_at ? looked_at : request.list.after;
        if (count < 0) {
            return ctl_fail(-ENOMEM, "out of memory");
        }
        is_moving = looked_at || count > 0;
    } while (reply->listing.more && is_moving);
    return CTL_DONE;
}

static int compare_rows(const void *a, const void *b, void *order)
{
    return row_key_compare(&((const struct row *)a)->key, &((const struct row *)b)->key,
                           ((const struct row_order *)order)->is_turned);
}

static void order_rows(struct listing *listing)
{
    if (listing->order.column && listing->count > 1) {
        qsort_r(listing->rows, listing->count, sizeof *listing->rows, compare_rows, &listing->order);
    }
}

static void free_rows(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        json_decref(listing->rows[i].object);
        scols_unref_line(listing->rows[i].line);
    }
    free(listing->rows);
}

/* ---- printing ---- */

static int print_objects(const struct listing *listing)
{
    json_t *array = json_array();
    for (size_t i = 0; i < listing->count; i++) {
        (void)json_array_append(array, listing->rows[i].object);
    }
    return ctl_print(json_pack("{s:o}", listing->kind->name, array), false);
}

/* People are told that there is nothing; programs get the headings alone. */
static int print_lines(const struct listing *listing)
{
    const struct listing_kind *kind = listing->kind;
    if (listing->count == 0 && isatty(STDOUT_FILENO)) {
        (void)puts(kind->none);
        return CTL_DONE;
    }
    struct libscols_table *table = columns_to_table(kind->columns, kind->column_count);
    for (size_t i = 0; table && i < listing->count; i++) {
        (void)scols_table_add_line(table, listing->rows[i].line);
    }
    table_finish(table);
    return table ? CTL_DONE : ctl_fail(-ENOMEM, "out of memory");
}

int listing_main(const struct listing_kind *kind, const struct ctl_options *options, int argc, char **argv)
{
    struct listing listing = {.kind = kind, .options = options};
    if (!ctl_takes(argc, argv, 0) ||
        selection_order(kind->columns, kind->column_count, &kind->usual, &listing.order) != CTL_DONE) {
        return CTL_USAGE;
    }
    int result = collect(&listing);
    if (result == CTL_DONE) {
        order_rows(&listing);
        result = options->json ? print_objects(&listing) : print_lines(&listing);
    }
    free_rows(&listing);
    return result;
}
