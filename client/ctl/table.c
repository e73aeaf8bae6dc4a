/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/table.h"

#include <stdio.h>

/* libsmartcols prints nothing for a table without rows. */
static void print_headings(struct libscols_table *table)
{
    size_t count = scols_table_get_ncols(table);
    for (size_t i = 0; i < count; i++) {
        printf("%s%s", i ? " " : "", scols_column_get_name(scols_table_get_column(table, i)));
    }
    (void)putchar('\n');
}

void table_finish(struct libscols_table *table)
{
    if (!table) {
        return;
    }
    if (scols_table_get_nlines(table) > 0) {
        (void)scols_print_table(table);
    } else {
        print_headings(table);
    }
    scols_unref_table(table);
}
