/* SPDX-License-Identifier: Apache-2.0 */
/* broker_check() notices each invariant of blocks that is broken by hand. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/check.h"
#include "tests/unit/core/noticed.h"
#include "tests/unit/core/publishing.h"

TestSuite(check_blocks);

static struct model *model;
static struct broker *broker;
static struct block *kept, *cache, *owned, *condemned, *freed;
static struct lease *sealed_lease;
static struct segment *sealed;

static struct block *block_of(const char *name)
{
    return block_table_named(&broker->blocks, 1000, name);
}

static void open_all(void)
{
    model = model_new(0, 512 * MIB, 0);
    broker = model->broker;
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1001);
}

/*
 * One that is kept for nobody, a cache and another with their publishers, one that is condemned and has another user's
 * view, one that is being freed, a lease that is being sealed, and a request that waits.
 */
static void begin(void)
{
    open_all();
    leave_block(model, 0, "kept", LIFETIME_KEEP);
    publish_block(model, 0, "cache", LIFETIME_CACHE);
    publish_block(model, 0, "owned", LIFETIME_SESSION);
    leave_block(model, 0, "condemned", LIFETIME_KEEP);
    leave_block(model, 0, "freed", LIFETIME_KEEP);
    kept = block_of("kept");
    cache = block_of("cache");
    owned = block_of("owned");
    condemned = block_of("condemned");
    freed = block_of("freed");
    cr_assert_eq(attach_block(model, 1, "condemned", 0)->kind, REPLY_ATTACHED);
    model->hold_frees = model->hold_seals = true;
    unpublish_block(model, 0, "condemned");
    unpublish_block(model, 0, "freed");
    uint64_t lease = publishable(model, 0);
    cr_assert_null(publish_lease(model, 0, lease, "sealed", LIFETIME_KEEP, 0));
    sealed_lease = lease_table_find(&broker->leases, lease);
    sealed = TAILQ_FIRST(&sealed_lease->segments);
    cr_assert_null(attach_block(model, 1, "none", 60000));
    cr_assert(condemned->state == BLOCK_CONDEMNED && freed->state == BLOCK_FREEING && sealed->is_sealing);
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

static void end(void)
{
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
    model_finish(model);
    model_free(model);
}

Test(check_blocks, states, .init = begin, .fini = end)
{
    EXPECT_NOTICED_BY(check_blocks, kept->state, BLOCK_WRITING, "being written is in the table");
    EXPECT_NOTICED_BY(check_blocks, kept->state, BLOCK_CONDEMNED, "a name leads to no published block");
    EXPECT_NOTICED_BY(check_blocks, freed->state, BLOCK_CONDEMNED, "that nobody has is not freed");
    EXPECT_NOTICED_BY(check_blocks, condemned->state, BLOCK_FREEING, "is freed that somebody has");
    EXPECT_NOTICED_BY(check_blocks, owned->publisher, NULL, "has outlived it");
    EXPECT_NOTICED_BY(check_blocks, kept->ended, END_DIED, "has ended for no reason");
    EXPECT_NOTICED_BY(check_blocks, condemned->due, 0, "may keep a condemned block forever");
    EXPECT_NOTICED_BY(check_blocks, broker->next_block, freed->id, "a block's number");
    EXPECT_NOTICED_BY(check_blocks, kept->segment, cache->segment, "is another one's");
    kept->share->class->quota.is_reservation = true;
    EXPECT_NOTICED_BY(check_blocks, kept->share->class->quota.max_leases, 0, "that is over is forgotten");
    kept->share->class->quota.is_reservation = false;
}

Test(check_blocks, those_who_have_one, .init = begin, .fini = end)
{
    struct lease *publisher = owned->publisher, *view = TAILQ_FIRST(&condemned->views);
    EXPECT_NOTICED_BY(check_blocks, publisher->block, kept, "not that of its publisher's lease");
    EXPECT_NOTICED_BY(check_leases, publisher->block, NULL, "neither a segment nor a block");
    EXPECT_NOTICED_BY(check_leases, publisher->state, LEASE_MAKING, "has not begun");
    EXPECT_OF(check_blocks, lease_table_remove(&broker->leases, publisher), lease_table_add(&broker->leases, publisher),
              "publisher has ended");
    EXPECT_OF(check_blocks, lease_table_remove(&broker->leases, view), lease_table_add(&broker->leases, view),
              "a view that has ended");
    EXPECT_NOTICED_BY(check_blocks, view->block, kept, "a view of another one");
    EXPECT_NOTICED_BY(check_blocks, condemned->view_count, 2, "(view_count)");
    EXPECT_NOTICED_BY(check_blocks, condemned->foreign_count, 2, "(foreign_count)");
    EXPECT_NOTICED_BY(check_blocks, kept->is_evicting, true, "to lose its publisher, and has none");
}

Test(check_blocks, lists, .init = begin, .fini = end)
{
    struct block_table *table = &broker->blocks;
    EXPECT_OF(check_blocks, block_table_remove(table, kept), block_table_add(table, kept), "others than it should");
    EXPECT_NOTICED_BY(check_blocks, RB_ROOT(&table->by_id), NULL, "others than it should");
    EXPECT_NOTICED_BY(check_blocks, RB_ROOT(&table->by_due), NULL, "others than it should");
    for (size_t i = 0; i < ACCOUNT_ABOVE_MAX; i++) {
        struct account *above = cache->account.above[i];
        if (above) {
            EXPECT_OF(check_blocks, TAILQ_REMOVE(&above->idle[LOCATION_RAM], cache, in_idle[i]),
                      TAILQ_INSERT_TAIL(&above->idle[LOCATION_RAM], cache, in_idle[i]), "others than it should");
            EXPECT_OF(check_blocks, TAILQ_INSERT_TAIL(&above->idle[LOCATION_RAM], kept, in_idle[i]),
                      TAILQ_REMOVE(&above->idle[LOCATION_RAM], kept, in_idle[i]), "may not be evicted");
        }
    }
    EXPECT_NOTICED_BY(check_blocks, cache->account.above[0], &broker->host, "idle under another account");
    EXPECT_NOTICED_BY(check_blocks, cache->is_evicting, true, "others than it should");
    EXPECT_OF(check_blocks, TAILQ_INSERT_TAIL(&table->evicting, cache, in_evicting),
              TAILQ_REMOVE(&table->evicting, cache, in_evicting), "listed as evicted, and is not");
    EXPECT_NOTICED_BY(check_blocks, cache->is_unkept, true, "others than it should");
    EXPECT_OF(check_blocks, TAILQ_INSERT_TAIL(&table->unkept, cache, in_unkept),
              TAILQ_REMOVE(&table->unkept, cache, in_unkept), "listed as unkept, and is not");
    EXPECT_OF(check_blocks, TAILQ_INSERT_TAIL(&table->left, kept, in_left), TAILQ_REMOVE(&table->left, kept, in_left),
              "that has not ended for all");
}

Test(check_blocks, who_sees_them, .init = begin, .fini = end)
{
    struct block_table *table = &broker->blocks;
    EXPECT_NOTICED_BY(check_blocks, freed->is_listed, true, "is being freed is listed");
    EXPECT_NOTICED_BY(check_blocks, kept->is_listed, false, "or another is not");
    EXPECT_NOTICED_BY(check_blocks, condemned->owner, 1, "the owners' blocks are out of order");
    EXPECT_NOTICED_BY(check_blocks, condemned->access, BLOCK_ACCESS_GROUP, "the shared blocks are out of order");
    EXPECT_NOTICED_BY(check_blocks, kept->gid, 5, "the shared blocks are out of order");
    EXPECT_NOTICED_BY(check_blocks, kept->access, BLOCK_ACCESS_USER, "other blocks are listed");
    EXPECT_NOTICED_BY(check_blocks, RB_ROOT(&table->by_owner), NULL, "other blocks are listed");
    EXPECT_NOTICED_BY(check_blocks, RB_ROOT(&table->by_access), NULL, "other blocks are listed");
    condemned->owner = 5000;
    condemned->gid = 5;
    cr_expect_null(check_blocks(broker), "the owner, and the group, go before the number");
    condemned->owner = 1000;
    condemned->gid = 0;
}

Test(check_blocks, figures, .init = begin, .fini = end)
{
    struct block_figures *figures = &broker->blocks.figures;
    EXPECT_NOTICED_BY(check_blocks, figures->blocks, 99, "other numbers of blocks or views");
    EXPECT_NOTICED_BY(check_blocks, figures->views, 99, "other numbers of blocks or views");
    EXPECT_NOTICED_BY(check_blocks, figures->bytes[LIFETIME_KEEP], 99, "other bytes of blocks");
}

Test(check_blocks, segments, .init = begin, .fini = end)
{
    EXPECT_NOTICED_BY(check_segments, kept->segment->doomed, true, "is doomed, or being sealed");
    EXPECT_NOTICED_BY(check_segments, kept->segment->is_sealing, true, "is doomed, or being sealed");
    EXPECT_NOTICED_BY(check_segments, kept->segment->charge.account, &broker->host, "is not charged to its block");
    EXPECT_NOTICED_BY(check_segments, kept->segment->block, cache, "has another segment");
    EXPECT_NOTICED_BY(check_segments, kept->state, BLOCK_FREEING, "in another state than its block");
    EXPECT_NOTICED_BY(check_segments, sealed->state, SEGMENT_MAKING, "is sealed that is not lent");
    EXPECT_NOTICED_BY(check_segments, sealed->is_sealing, false, "another block than its lease");
    EXPECT_NOTICED_BY(check_segments, sealed_lease->block, NULL, "another block than its lease");
    EXPECT_NOTICED_BY(check_segments, sealed->doomed, true, "is doomed and its lease lives");
}

Test(check_blocks, waits, .init = begin, .fini = end)
{
    struct session *session = session_table_find(&broker->sessions, model->peers[1].session);
    EXPECT_NOTICED_BY(check_blocks, broker->name_wait_count, 9, "name_wait_count is not");
    EXPECT_NOTICED_BY(check_blocks, session->name_wait_count, 9, "a session miscounts its requests");
}

enum { MANY = 16 };

/* The later a block is published the earlier it is due; the last two at once. */
static void begin_with_many(void)
{
    open_all();
    for (int i = 0; i < MANY; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        uint32_t keep_ms = 60000 - 1000 * (uint32_t)(i == MANY - 1 ? i - 1 : i);
        uint64_t lease = publishable(model, 0);
        cr_assert_eq(publish_lease(model, 0, lease, name, LIFETIME_KEEP, keep_ms)->kind, REPLY_DONE);
    }
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

static void expect_places_matter(struct block *block, uint64_t due_of_earlier)
{
    struct block_table *table = &broker->blocks;
    EXPECT_NOTICED_BY(check_blocks, block->due, UINT64_MAX, "times are out of order");
    EXPECT_NOTICED_BY(check_blocks, block->due, due_of_earlier, "times are out of order");
    broker->next_block += 500;
    EXPECT_NOTICED_BY(check_blocks, block->id, 500, "the blocks are out of order");
    broker->next_block -= 500;
    if (!RB_LEFT(block, by_name) && !RB_RIGHT(block, by_name)) { /* or other names would not be found */
        block_table_remove(table, block);                        /* or this name would not be found */
        EXPECT_NOTICED_BY(check_blocks, block->owner, 5000, "the names are out of order");
        EXPECT_NOTICED_BY(check_blocks, block->name[0], '~', "the names are out of order");
        block_table_add(table, block);
    }
}

Test(check_blocks, the_order_of_trees_at_each_of_their_places, .init = begin_with_many, .fini = end)
{
    struct block *before = block_of("a");
    for (int i = 1; i < MANY - 2; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        struct block *block = block_of(name);
        expect_places_matter(block, before->due);
        before = block;
    }
}
