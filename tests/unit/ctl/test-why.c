/* SPDX-License-Identifier: Apache-2.0 */
/* What `membrokerctl why` says of what a limit on a number refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/why.h"

TestSuite(why);

static struct why_entry refused(enum limit_kind kind, uint64_t asked, uint64_t used, uint64_t most)
{
    struct why_entry entry = {.session = 3, .name = "trainer", .pid = 7, .since_ms = 2000, .earliest_ms = UINT64_MAX};
    entry.refusal = (struct refusal){.limit_kind = kind,
                                     .whose = "user 1000",
                                     .limit_bytes = most,
                                     .asked_bytes = asked,
                                     .used_bytes = used,
                                     .free_bytes = most > used ? most - used : 0};
    (void)snprintf(entry.refusal.limit, sizeof entry.refusal.limit, "%s", limit_kind_name(kind));
    return entry;
}

/* All but the first line, which says who. */
static void expect_said(struct why_entry entry, const char *said)
{
    const struct why_reply why = {.entries = &entry, .count = 1};
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(file);
    why_write(file, &why, 0);
    (void)fclose(file);
    cr_expect_str_eq(strchr(text, '\n') + 1, said);
    free(text);
}

Test(why, a_limit_of_sharing_is_told_in_its_unit_with_what_makes_room)
{
    expect_said(refused(LIMIT_KIND_BLOCKS, 1, 2, 2),
                "  asked for a block; user 1000's max_blocks is 2, 2 of them used: 0 free\n"
                "  to make room: unpublish blocks (membrokerctl blocks lists them), or raise [sharing] max_blocks\n");
    expect_said(refused(LIMIT_KIND_VIEWS, 1, 4, 4),
                "  asked for a view; user 1000's max_views is 4, 4 of them used: 0 free\n"
                "  to make room: close views (BLOCK in membrokerctl leases), or raise [sharing] max_views\n");
    expect_said(refused(LIMIT_KIND_OBJECTS, 1, 9, 9),
                "  asked for an object; user 1000's max_objects is 9, 9 of them used: 0 free\n"
                "  to make room: remove objects (membrokerctl boards counts them), or raise [sharing] max_objects\n");
    expect_said(
        refused(LIMIT_KIND_BOARD_BYTES, 65536, 65536, 65536),
        "  asked for 64 KiB, the next part of a board; user 1000's max_board_bytes is 64 KiB, 64 KiB of it used: 0 "
        "bytes "
        "free\n"
        "  that is not the size of the object; the figures leave out what is free within the parts\n"
        "  to make room: remove objects (membrokerctl boards counts them), or raise [sharing] max_board_bytes\n");
    expect_said(refused(LIMIT_KIND_WATCHES, 1, 3, 3),
                "  asked for a watch; user 1000's max_watches is 3, 3 of them used: 0 free\n"
                "  to make room: end watches, or raise [sharing] max_watches\n");
    expect_said(refused(LIMIT_KIND_USER_WATCHES, 1, 3, 3),
                "  asked for a watch; user 1000's max_watches_per_user is 3, 3 of them used: 0 free\n"
                "  to make room: end watches, or raise [sharing] max_watches_per_user\n");
}

Test(why, what_has_room_by_now_needs_none)
{
    struct why_entry entry = refused(LIMIT_KIND_BLOCKS, 1, 1, 2);
    entry.earliest_ms = 0;
    expect_said(entry, "  asked for a block; user 1000's max_blocks is 2, 1 of them used: 1 free\n"
                       "  enough is free, or is being freed, now\n");
    entry = refused(LIMIT_KIND_BLOCKS, 1, 2, 2);
}

Test(why, a_session_that_has_ended_learns_what_makes_room_too)
{
    struct why_entry entry = refused(LIMIT_KIND_BLOCKS, 1, 2, 2);
    entry.is_over = true;
    expect_said(entry,
                "  asked for a block; user 1000's max_blocks is 2, 2 of them used: 0 free\n"
                "  to make room: unpublish blocks (membrokerctl blocks lists them), or raise [sharing] max_blocks\n");
    entry = refused(LIMIT_KIND_LEASES, 1, 2, 2);
    entry.is_over = true;
    expect_said(entry, "  asked for a lease; user 1000's max_leases is 2, 2 of them used: 0 free\n"
                       "  to make room: release leases or close views (membrokerctl leases lists them), or raise "
                       "max_leases\n");
    entry = refused(LIMIT_KIND_BYTES, 4096, 8192, 8192);
    entry.is_over = true;
    entry.location = LOCATION_RAM;
    expect_said(entry, "  asked for 4 KiB in RAM; user 1000's max_bytes is 8 KiB, 8 KiB of it used: 0 bytes free\n");
}

Test(why, a_limit_of_0_can_only_be_raised)
{
    expect_said(refused(LIMIT_KIND_VIEWS, 1, 0, 0),
                "  asked for a view; user 1000's max_views is 0, 0 of them used: 0 free\n"
                "  to make room: raise [sharing] max_views, which is 0\n");
    struct why_entry entry = refused(LIMIT_KIND_BLOCKS, 1, 1, 0);
    entry.is_over = true;
    expect_said(entry, "  asked for a block; user 1000's max_blocks is 0, 1 of them used: 0 free\n"
                       "  to make room: raise [sharing] max_blocks, which is 0\n");
}

Test(why, leases_are_numbers_as_before)
{
    expect_said(refused(LIMIT_KIND_LEASES, 1, 2, 2),
                "  asked for a lease; user 1000's max_leases is 2, 2 of them used: "
                "0 free\n  when enough could come free is not known\n");
    struct why_entry view = refused(LIMIT_KIND_LEASES, 1, 2, LIMIT_OFF);
    view.earliest_ms = 0;
    expect_said(view, "  asked for a lease; user 1000 has no max_leases any more\n"
                      "  enough is free, or is being freed, now\n");
}
