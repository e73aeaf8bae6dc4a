/* SPDX-License-Identifier: Apache-2.0 */
/* What `membrokerctl usage` and top show of an account. */
#include <criterion/criterion.h>

#include "client/ctl/listing.h"

static const struct usage_entry unlimited = {
    .kind = USAGE_CLASS,
    .bytes = 50,
    .physical_bytes = 40,
    .mapped_bytes = 10,
    .limits = {.max_bytes = UINT64_MAX, .max_physical_bytes = UINT64_MAX, .max_mapped_bytes = UINT64_MAX},
};

static void expect_cell(const struct usage_entry *usage, const char *heading, const char *expected)
{
    char cell[CELL_BYTES];
    const struct column *column = column_named(usage_listing.columns, usage_listing.column_count, heading);
    cr_assert_not_null(column);
    cr_expect_str_eq(column_cell(column, usage, cell), expected);
}

Test(usage, limit_is_the_one_of_which_most_is_used)
{
    struct usage_entry usage = unlimited;
    expect_cell(&usage, "LIMIT", "unlimited");
    usage.limits.max_physical_bytes = 80;
    expect_cell(&usage, "LIMIT", "80 bytes RAM");
    usage.limits.max_bytes = 90;
    expect_cell(&usage, "LIMIT", "90 bytes");
    usage.limits.max_mapped_bytes = 11;
    expect_cell(&usage, "LIMIT", "11 bytes files");
}

Test(usage, limit_of_an_account_without_anything_is_the_smallest)
{
    struct usage_entry usage = unlimited;
    usage.bytes = usage.physical_bytes = usage.mapped_bytes = 0;
    usage.limits = (struct byte_limits){.max_bytes = 90, .max_physical_bytes = 80, .max_mapped_bytes = 0};
    expect_cell(&usage, "LIMIT", "80 bytes RAM");
    usage.limits = (struct byte_limits){.max_bytes = 0, .max_physical_bytes = UINT64_MAX, .max_mapped_bytes = 0};
    expect_cell(&usage, "LIMIT", "0 bytes");
}

Test(usage, without_a_waiting_request_nothing_is_wanted)
{
    struct usage_entry usage = unlimited;
    expect_cell(&usage, "WANTED", "");
    expect_cell(&usage, "LONGEST", "");
    usage.waiting = 1;
    usage.waiting_bytes = 7;
    expect_cell(&usage, "WANTED", "7 bytes");
    expect_cell(&usage, "LONGEST", "0ms");
}
