/* SPDX-License-Identifier: Apache-2.0 */
/* A table on standard output, by libsmartcols, which also makes names safe for terminals. */
#pragma once

#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>
#include <stdint.h>

struct column {
    const char *heading;
    bool right; /* aligned */
};

/* An empty table; NULL when memory is short. */
struct libscols_table *table_new(const struct column *columns, size_t count);

/* A row of cells, as many as there are columns. */
void table_add(struct libscols_table *table, const char *const *cells, size_t count);

/* Prints and frees. The headings stand there also where there are no rows. */
void table_finish(struct libscols_table *table);

enum { CELL_BYTES = 64 };

/* A number as a cell; into text[CELL_BYTES], which it returns. */
const char *cell_number(uint64_t number, char *text);

/* The same; "-" for 0. */
const char *cell_number_or_none(uint64_t number, char *text);

/* A text as a cell; "-" for an empty one. */
const char *cell_text(const char *text);
