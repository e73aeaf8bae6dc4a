/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of one listing, kept between refreshes. The broker sends them in pages, in the order of their numbers; a
 * page replaces the rows between the number that it was asked for and its last one. So a long listing can be read over
 * several refreshes.
 */
#pragma once

#include <stddef.h>

#include "client/ctl/listing.h"
#include "client/ctl/top_history.h"

struct row {
    uint64_t number; /* by which pages go on */
    uint64_t key;    /* the row is the same one while this stays */
    struct history history;
    _Alignas(max_align_t) unsigned char entry[]; /* as the broker sent it */
};

struct rows {
    const struct listing_kind *listing;
    bool is_by_number;                    /* the number is the key */
    uint64_t (*key)(const void *entry);   /* if it is not */
    uint64_t (*value)(const void *entry); /* what the history is of */
    struct row **rows;                    /* by their numbers */
    size_t count;
    uint64_t after;       /* where the next page begins */
    uint64_t began_ms;    /* when the present pass over all pages began */
    uint64_t complete_ms; /* when the last complete one began */
    bool is_complete;     /* there was a complete one */
};

/* Takes the page behind `after`. Returns the number to go on with, 0 at the end of the listing; or negative errno. */
int rows_take_page(struct rows *rows, uint64_t after, const struct listing_reply *page, uint64_t now_ms,
                   uint64_t *ret_after);

/* The row with this key; NULL: none. */
const struct row *rows_find(const struct rows *rows, uint64_t key);

/* Removes all. */
void rows_clear(struct rows *rows);
