/* SPDX-License-Identifier: Apache-2.0 */
/* Who sees which blocks in a list, and that those whom it does not see cost it nothing. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/text.h"
#include "tests/unit/core/publishing.h"

TestSuite(block_listing);

enum { OWNER, OTHER, GROUP = 0 /* of all sessions of a model */, HIDDEN = 200, PAGE = 4 };

static const struct identity owner = {.pid = 1, .uid = 1000, .gid = 77}, stranger = {.pid = 1, .uid = 1002, .gid = 77},
                             member = {.pid = 1, .uid = 1003, .gid = GROUP},
                             by_supplement = {.pid = 1, .uid = 1004, .gid = 77, .group_count = 2, .groups = {5, GROUP}};
static struct model *model;

static void begin(void)
{
    model = model_new(0, 2048 * MIB, 0);
    model->options.settings.sharing = (struct sharing_settings){.blocks_max = 1000, .grace_ms = 1000};
    model_configure(model);
    model_open_as(model, OWNER, "a", owner.uid);
    model_open_as(model, OTHER, "b", 1001);
}

static void end(void)
{
    model_free(model);
}

static void publish(int peer, const char *name, enum block_access access)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){
        .lease = publishable(model, peer), .lifetime = LIFETIME_KEEP, .access = access, .gid = GROUP, .type = "array"};
    text_copy(request.publish.name, MESSAGE_NAME_SIZE, name);
    cr_assert_eq(model_request(model, peer, &request)->kind, REPLY_DONE);
    model_release(model, peer, request.publish.lease);
}

/* All pages' names in a row. */
static void expect_listed(const struct identity *viewer, const char *expected)
{
    struct block_entry entries[PAGE];
    char listed[256] = "";
    uint64_t after = 0;
    bool more = true;
    while (more) {
        size_t count = broker_list_blocks(model->broker, viewer, after, model->now, entries, PAGE, &more);
        cr_assert(!more || count == PAGE, "a page that is followed by another one is full");
        for (size_t i = 0; i < count; i++) {
            size_t length = strlen(listed);
            (void)snprintf(listed + length, sizeof listed - length, "%s ", entries[i].name);
            after = entries[i].block;
        }
    }
    cr_expect_str_eq(listed, expected);
}

Test(block_listing, each_sees_its_own_and_what_is_for_its_groups_and_for_all, .init = begin, .fini = end)
{
    publish(OWNER, "a", BLOCK_ACCESS_ALL);
    publish(OWNER, "b", BLOCK_ACCESS_USER);
    publish(OTHER, "c", BLOCK_ACCESS_ALL);
    publish(OWNER, "d", BLOCK_ACCESS_GROUP);
    publish(OTHER, "e", BLOCK_ACCESS_USER);
    publish(OTHER, "f", BLOCK_ACCESS_GROUP);
    publish(OTHER, "g", BLOCK_ACCESS_ALL);
    expect_listed(&owner, "a b c d g ");
    expect_listed(&stranger, "a c g ");
    expect_listed(&member, "a c d f g ");
    expect_listed(&by_supplement, "a c d f g ");
    expect_listed(&model_root, "a b c d e f g ");
    struct block_entry entry;
    bool more;
    cr_expect_eq(broker_list_blocks(model->broker, &owner, UINT64_MAX, model->now, &entry, 1, &more), 0);
}

Test(block_listing, another_groups_block_is_not_shown, .init = begin, .fini = end)
{
    publish(OWNER, "a", BLOCK_ACCESS_GROUP);
    struct block *block = block_table_named(&model->broker->blocks, owner.uid, "a");
    expect_listed(&member, "a ");
    block->gid = 9;
    expect_listed(&member, "");
    block->gid = GROUP;
}

Test(block_listing, what_is_being_freed_is_in_no_list, .init = begin, .fini = end)
{
    publish(OWNER, "a", BLOCK_ACCESS_ALL);
    publish(OWNER, "b", BLOCK_ACCESS_USER);
    publish(OWNER, "c", BLOCK_ACCESS_ALL);
    model->hold_frees = true;
    unpublish_block(model, OWNER, "a");
    unpublish_block(model, OWNER, "b");
    expect_listed(&owner, "c ");
    expect_listed(&stranger, "c ");
    expect_listed(&model_root, "c ");
    model->hold_frees = false;
    model_finish(model);
}

/* If the list looked at a hidden block, it would find it to be for all. */
Test(block_listing, blocks_that_are_not_shown_are_not_looked_at, .init = begin, .fini = end)
{
    struct block *hidden[HIDDEN];
    publish(OWNER, "first", BLOCK_ACCESS_ALL);
    for (int i = 0; i < HIDDEN; i++) {
        const char name[] = {'h', (char)('a' + i / 16), (char)('a' + i % 16), '\0'};
        publish(OWNER, name, BLOCK_ACCESS_USER);
        hidden[i] = block_table_named(&model->broker->blocks, owner.uid, name);
    }
    publish(OWNER, "last", BLOCK_ACCESS_ALL);
    for (int i = 0; i < HIDDEN; i++) {
        hidden[i]->access = BLOCK_ACCESS_ALL;
    }
    expect_listed(&stranger, "first last ");
    for (int i = 0; i < HIDDEN; i++) {
        hidden[i]->access = BLOCK_ACCESS_USER;
    }
}
