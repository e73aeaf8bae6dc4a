/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of the screen: which rows each has, and which columns. */
#pragma once

#include "client/ctl/top_model.h"

enum page { PAGE_USERS, PAGE_CLASSES, PAGE_SESSIONS, PAGE_LEASES, PAGE_QUEUE, PAGE_BLOCKS, PAGES };

struct page_column {
    const char *key; /* of the listing's column; NULL: the history */
    const char *heading;
    const char *otherwise; /* the key of a column that is shown if this one is empty; NULL: none */
    int width;             /* at least */
    int rank;              /* those of a low rank are shown if there is room for few */
};

struct page_kind {
    const char *name; /* of the page, and on the command line */
    enum model_table table;
    bool (*has)(const void *entry); /* NULL: every row of the table */
    const struct page_column *columns;
    int column_count;
    int flexible;     /* the column that gets what is left */
    const char *sort; /* by which its rows are ordered at first */
};

extern const struct page_kind page_kinds[PAGES];

/* The listing's column of a column; NULL: it is the history. */
const struct column *page_column_of(const struct page_kind *kind, int column);

/* What is shown of a row in a column; "": nothing, or it is the history. */
const char *page_cell(const struct page_kind *kind, int column, const struct row *row, char cell[CELL_BYTES]);

/* Whether its texts stand at the right end. */
bool page_is_number(const struct page_kind *kind, int column);

/* The page with this name; PAGES: none. */
enum page page_named(const char *name);
