/* SPDX-License-Identifier: Apache-2.0 */
/* Page after page into a table or an array. */
#include "client/ctl/listing.h"

#include <stdio.h>
#include <unistd.h>

#include "client/ctl/table.h"

/* Returns how many entries the page has. */
static size_t take_page(const struct listing_kind *kind, const struct listing_reply *page, json_t *array,
                        struct libscols_table *table, uint64_t *last)
{
    const void *entry;
    size_t count = 0;
    while ((entry = kind->entry(page, count))) {
        *last = column_number(&kind->columns[0], entry);
        if (array) {
            (void)json_array_append_new(array, columns_to_json(kind->columns, kind->column_count, entry));
        } else {
            columns_add_row(table, kind->columns, kind->column_count, entry);
        }
        count++;
    }
    return count;
}

static int collect(const struct listing_kind *kind, const struct ctl_options *options, json_t *array,
                   struct libscols_table *table)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = kind->what}};
    const struct reply *reply;
    size_t count;
    do {
        int result = ctl_ask(options, &request, &reply);
        if (result != CTL_DONE) {
            return result;
        }
        count = take_page(kind, &reply->listing, array, table, &request.list.after);
    } while (reply->listing.more && count > 0);
    return CTL_DONE;
}

/* People are told that there is nothing; programs get the headings alone. */
static void finish(const struct listing_kind *kind, struct libscols_table *table)
{
    if (table && scols_table_get_nlines(table) == 0 && isatty(STDOUT_FILENO)) {
        (void)puts(kind->none);
        scols_unref_table(table);
    } else {
        table_finish(table);
    }
}

int listing_main(const struct listing_kind *kind, const struct ctl_options *options, int argc, char **argv)
{
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    json_t *array = options->json ? json_array() : NULL;
    struct libscols_table *table = options->json ? NULL : columns_to_table(kind->columns, kind->column_count);
    int result = collect(kind, options, array, table);
    if (result == CTL_DONE && array) {
        return ctl_print(json_pack("{s:o}", kind->name, array), false);
    }
    if (result == CTL_DONE) {
        finish(kind, table);
    } else {
        json_decref(array);
        scols_unref_table(table);
    }
    return result;
}
