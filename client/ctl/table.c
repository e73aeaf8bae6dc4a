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

void table_finish(struct libscols_table *table)
{
    if (table) {
        (void)scols_print_table(table);
        scols_unref_table(table);
    }
}

const char *cell_number(uint64_t number, char *text)
{
    (void)snprintf(text, CELL_BYTES, "%llu", (unsigned long long)number);
    return text;
}
