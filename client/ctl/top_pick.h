/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a page that fit the filter, in their order. */
#pragma once

#include "client/ctl/top_pages.h"

struct pick_order {
    int column;     /* of the page */
    bool is_turned; /* numbers from the smallest, texts from Z */
};

struct picked {
    const struct row **rows; /* which the model owns: until the next refresh */
    size_t count;
};

/* Picks; an earlier pick is freed. `filter`: a part of any cell, small and capital letters alike; "": all rows. False:
 * no memory, and nothing is picked. */
bool pick(struct picked *picked, const struct rows *rows, const struct page_kind *kind, const struct pick_order *order,
          const char *filter);

void pick_free(struct picked *picked);

/* Reads "KEY" or "-KEY". False: the page has no such column. */
bool pick_order_named(const struct page_kind *kind, const char *text, struct pick_order *ret);
