/* SPDX-License-Identifier: Apache-2.0 */
/* A listing that comes in pages, as a table or as a JSON array: what `sessions` and `leases` have in common. */
#pragma once

#include "client/ctl/ctl.h"
#include "client/ctl/table.h"

struct listing_kind {
    enum list_what what;
    const char *name; /* of the JSON array */
    const char *none; /* what a terminal shows instead of a table without rows */
    const struct column *columns;
    size_t column_count;
    size_t (*count)(const struct listing_reply *page);
    uint64_t (*number)(const struct listing_reply *page, size_t index); /* by which pages go on */
    json_t *(*to_json)(const struct listing_reply *page, size_t index);
    void (*add_row)(struct libscols_table *table, const struct listing_reply *page, size_t index);
};

/* Runs the verb. Returns its exit status. */
int listing_main(const struct listing_kind *kind, const struct ctl_options *options, int argc, char **argv);
