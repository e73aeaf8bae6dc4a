/* SPDX-License-Identifier: Apache-2.0 */
/* What `membrokerctl events` tells of the limit that refused a request. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/ctl/events.h"

TestSuite(events);

static struct event_entry refused(enum limit_kind kind, uint64_t asked, uint64_t used, uint64_t most)
{
    return (struct event_entry){.kind = EVENT_KIND_REFUSED,
                                .limit_kind = kind,
                                .whose = "user 0",
                                .bytes = asked,
                                .used_bytes = used,
                                .limit_bytes = most};
}

static void expect_detail(struct event_entry event, const char *expected)
{
    char cell[CELL_BYTES];
    const struct column *column = column_named(events_listing.columns, events_listing.column_count, "DETAIL");
    cr_assert_not_null(column);
    cr_expect_str_eq(column_cell(column, &event, cell), expected);
}

static void expect_json(struct event_entry event, const char *key, const char *expected)
{
    json_t *all = columns_to_json(events_listing.columns, events_listing.column_count, &event);
    char *text = json_dumps(json_object_get(all, key), JSON_ENCODE_ANY);
    cr_expect_str_eq(text, expected, "%s", key);
    free(text);
    json_decref(all);
}

Test(events, a_limit_of_sharing_has_its_figures)
{
    expect_detail(refused(LIMIT_KIND_BLOCKS, 1, 2, 2), "max_blocks of user 0: 2 of 2 blocks used");
    expect_detail(refused(LIMIT_KIND_BOARD_BYTES, 65536, 0, 1024), "max_board_bytes of user 0: 0 bytes of 1 KiB used");
}

Test(events, a_limit_of_sharing_may_be_0)
{
    struct event_entry event = refused(LIMIT_KIND_BLOCKS, 1, 0, 0);
    expect_detail(event, "max_blocks of user 0: 0 of 0 blocks used");
    expect_json(event, "limit_bytes", "0");
    expect_json(event, "used_bytes", "0");
    expect_json(event, "unit", "\"blocks\"");
}

/* A broker may tell its name alone. */
Test(events, another_limit_of_0_is_none)
{
    struct event_entry event = refused(LIMIT_KIND_PAUSED, 4096, 0, 0);
    expect_detail(event, "pause_ram_at of user 0");
    expect_json(event, "limit_bytes", "null");
    expect_json(event, "used_bytes", "null");
    event = refused(LIMIT_KIND_BYTES, 4096, 0, 8192);
    expect_json(event, "limit_bytes", "8192");
    expect_json(event, "used_bytes", "null");
}
