/* SPDX-License-Identifier: Apache-2.0 */
/* A listing that comes in pages, as a table or as a JSON array. */
#pragma once

#include "client/ctl/column.h"
#include "client/ctl/ctl.h"
#include "client/ctl/selection.h"

struct listing_kind {
    enum list_what what;
    const char *name;             /* of the JSON array */
    const char *none;             /* what a terminal shows instead of a table without rows */
    const struct column *columns; /* the first is a number, by which pages go on */
    size_t column_count;
    size_t entry_size;                                                    /* bytes */
    const void *(*entry)(const struct listing_reply *page, size_t index); /* NULL: the page has no more */
    void (*facts)(const void *entry, struct row_facts *ret);              /* of zeros */
    bool (*wants)(const void *entry); /* besides --user and its like; NULL: every row */
    struct row_order usual;           /* without --sort */
};

extern const struct listing_kind sessions_listing, leases_listing, queue_listing, usage_listing, blocks_listing;

/* What the shares of usage_listing are of: the host's max_bytes. */
void usage_set_host_limit(uint64_t max_bytes);

/* Runs the verb. Returns its exit status. */
int listing_main(const struct listing_kind *kind, const struct ctl_options *options, int argc, char **argv);
