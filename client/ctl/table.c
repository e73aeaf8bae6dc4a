/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. */
#include <stdbool.h>
#include <stdio.h>

#include "client/ctl/table.h"

struct libscols_table *table_new(const struct column *columns, size_t count)
{
    struct libscols_table *table = scols_new_table();
    for (size_t i = 0; table && i < count; i++) {
        if (!scols_table_new_column(table, columns[i].heading, 0, columns[i].right ? SCOLS_FL_RIGHT : 0)) {
            scols_unref_table(table);
            return NULL;
        }
    }
    return table;
}

void table_add(struct libscols_table *table, const char *const *cells, size_t count)
{
    struct libscols_line *line = table ? scols_table_new_line(table, NULL) : NULL;
    for (size_t i = 0; line && i < count; i++) {
        (void)scols_line_set_data(line, i, cells[i]);
    }
}

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

const char *cell_number(uint64_t number, char *text)
{
    (void)snprintf(text, CELL_BYTES, "%llu", (unsigned long long)number);
    return text;
}

const char *cell_number_or_none(uint64_t number, char *text)
{
    return number ? cell_number(number, text) : "-";
}

const char *cell_text(const char *text)
{
    return *text ? text : "-";
}
