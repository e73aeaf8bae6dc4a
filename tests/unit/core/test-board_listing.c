/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of boards: to whom, in pages, and in the status. */
#include "daemon/core/broker_state.h"
#include "tests/unit/core/putting.h"

TestSuite(board_listing);

enum { OWNER, TWIN /* of the same user */, OTHER };

static struct model *model;
static struct board_entry entries[4];

static void begin(void)
{
    model = model_for_putting(0);
}

static void end(void)
{
    model_free(model);
}

static void put(int peer, const char *name, size_t bytes, enum lifetime lifetime, enum block_access access)
{
    struct request request = putting_object(name, bytes, 1);
    request.put.lifetime = lifetime;
    request.put.access = access;
    cr_assert_eq(model_request(model, peer, &request)->kind, REPLY_DONE);
}

static size_t list(const struct identity *viewer, uint64_t after, size_t max, bool *ret_more)
{
    return broker_list_boards(model->broker, viewer, after, entries, max, ret_more);
}

static bool has_counted(const struct board_entry *entry, uint64_t objects, uint64_t bytes, uint64_t of_groups,
                        uint64_t of_all, uint64_t kept)
{
    return entry->objects == objects && entry->object_bytes == bytes && entry->group_objects == of_groups &&
           entry->all_objects == of_all && entry->kept_objects == kept;
}

Test(board_listing, what_a_board_has, .init = begin, .fini = end)
{
    bool more;
    put(OWNER, "own", 10, LIFETIME_SESSION, BLOCK_ACCESS_USER);
    put(OWNER, "group", 100, LIFETIME_KEEP, BLOCK_ACCESS_GROUP);
    put(TWIN, "all", 1000, LIFETIME_KEEP, BLOCK_ACCESS_ALL);
    cr_assert_eq(list(&model_root, 0, 4, &more), 1);
    cr_expect(!more && entries[0].owner == 1000 && entries[0].bytes == BOARD_PART_BYTES_LEAST && !entries[0].has_ended);
    cr_expect_str_eq(entries[0].class, POLICY_DEFAULT_CLASS);
    cr_expect(has_counted(&entries[0], 3, 1110, 1, 1, 2));
    put(TWIN, "own", 20, LIFETIME_KEEP, BLOCK_ACCESS_ALL);
    cr_expect_eq(remove_object(model, OWNER, "group")->kind, REPLY_DONE);
    cr_expect_eq(list(&model_root, 0, 4, &more), 1);
    cr_expect(has_counted(&entries[0], 2, 1020, 0, 2, 2));
    const struct object_figures figures = model_status(model).objects;
    cr_expect(figures.objects == 2 && figures.bytes == 1020 && figures.put == 4 && figures.refused == 0);
    cr_expect_eq(figures.board_bytes, BOARD_PART_BYTES_LEAST);
}

Test(board_listing, boards_are_shown_to_their_users_page_by_page, .init = begin, .fini = end)
{
    const struct identity other = {.uid = 1002};
    bool more;
    put(OWNER, "a", 1, LIFETIME_SESSION, BLOCK_ACCESS_USER);
    put(OTHER, "b", 2, LIFETIME_SESSION, BLOCK_ACCESS_USER);
    cr_assert_eq(list(&model_root, 0, 1, &more), 1);
    uint64_t first = entries[0].board;
    cr_expect(more && entries[0].owner == 1000);
    cr_assert_eq(list(&model_root, first, 1, &more), 1);
    cr_expect(!more && entries[0].owner == 1002 && entries[0].board > first);
    cr_expect_eq(list(&model_root, entries[0].board, 1, &more), 0);
    cr_expect(!more);
    cr_assert_eq(list(&other, 0, 4, &more), 1);
    cr_expect(!more && entries[0].owner == 1002);
}

Test(board_listing, one_that_has_ended_is_shown_until_it_is_free, .init = begin, .fini = end)
{
    bool more;
    put(OWNER, "a", 1, LIFETIME_SESSION, BLOCK_ACCESS_USER);
    cr_expect_eq(remove_object(model, OWNER, "a")->kind, REPLY_DONE);
    model->hold_frees = true;
    model_pass(model, 5000);
    cr_assert_eq(list(&model_root, 0, 4, &more), 1);
    cr_expect(entries[0].has_ended && entries[0].objects == 0 && entries[0].bytes == BOARD_PART_BYTES_LEAST);
    model_finish(model);
    cr_expect_eq(list(&model_root, 0, 4, &more), 0);
}
