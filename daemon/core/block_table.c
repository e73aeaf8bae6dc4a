/* SPDX-License-Identifier: Apache-2.0 */
/* The trees of blocks, and what is remembered of those that have ended. */
#include <assert.h>
#include <string.h>

#include "daemon/core/block.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

static int compare_ids(const struct block *a, const struct block *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_owners(const struct block *a, const struct block *b)
{
    int by_owner = (a->owner > b->owner) - (a->owner < b->owner);
    return by_owner ? by_owner : compare_ids(a, b);
}

static int compare_access(const struct block *a, const struct block *b)
{
    int by_access = (a->access > b->access) - (a->access < b->access);
    int by_group = by_access ? by_access : (a->gid > b->gid) - (a->gid < b->gid);
    return by_group ? by_group : compare_ids(a, b);
}

static int compare_names(const struct block *a, const struct block *b)
{
    int by_owner = (a->owner > b->owner) - (a->owner < b->owner);
    return by_owner ? by_owner : strcmp(a->name, b->name);
}

static int compare_dues(const struct block *a, const struct block *b)
{
    int by_due = (a->due > b->due) - (a->due < b->due);
    return by_due ? by_due : compare_ids(a, b);
}

TREE_GENERATE(block_id_tree, block, by_id, compare_ids)
TREE_GENERATE(block_owner_tree, block, by_owner, compare_owners)
TREE_GENERATE(block_access_tree, block, by_access, compare_access)
TREE_GENERATE(block_name_tree, block, by_name, compare_names)
TREE_GENERATE(block_due_tree, block, by_due, compare_dues)

void block_table_init(struct block_table *table)
{
    RB_INIT(&table->by_id);
    RB_INIT(&table->by_owner);
    RB_INIT(&table->by_access);
    RB_INIT(&table->by_name);
    RB_INIT(&table->by_due);
    TAILQ_INIT(&table->evicting);
    TAILQ_INIT(&table->unkept);
    TAILQ_INIT(&table->left);
}

struct block *block_table_next(const struct block_table *table, uint64_t after)
{
    struct block key = {.id = after + 1};
    return after == UINT64_MAX ? NULL : RB_NFIND(block_id_tree, TREE_FOR_LOOKUP(block_id_tree, &table->by_id), &key);
}

struct block *block_table_next_of_owner(const struct block_table *table, uint32_t owner, uint64_t after)
{
    struct block key = {.owner = owner, .id = after + 1};
    struct block *block = after == UINT64_MAX
                              ? NULL
                              : RB_NFIND(block_owner_tree, TREE_FOR_LOOKUP(block_owner_tree, &table->by_owner), &key);
    return block && block->owner == owner ? block : NULL;
}

struct block *block_table_next_shared(const struct block_table *table, enum block_access access, uint32_t gid,
                                      uint64_t after)
{
    struct block key = {.access = access, .gid = gid, .id = after + 1};
    struct block *block =
        after == UINT64_MAX ? NULL
                            : RB_NFIND(block_access_tree, TREE_FOR_LOOKUP(block_access_tree, &table->by_access), &key);
    return block && block->access == access && block->gid == gid ? block : NULL;
}

struct block *block_table_find(const struct block_table *table, uint64_t id)
{
    struct block key = {.id = id};
    return RB_FIND(block_id_tree, TREE_FOR_LOOKUP(block_id_tree, &table->by_id), &key);
}

struct block *block_table_named(const struct block_table *table, uint32_t owner, const char *name)
{
    struct block key = {.owner = owner};
    text_copy(key.name, sizeof key.name, name);
    return RB_FIND(block_name_tree, TREE_FOR_LOOKUP(block_name_tree, &table->by_name), &key);
}

struct block *block_table_first_named(const struct block_table *table)
{
    return RB_MIN(block_name_tree, TREE_FOR_LOOKUP(block_name_tree, &table->by_name));
}

static struct block *if_named(struct block *block, uint32_t owner, const char *prefix)
{
    return block && block->owner == owner && text_begins(block->name, prefix) ? block : NULL;
}

struct block *block_table_next_named(const struct block_table *table, uint32_t owner, const char *prefix,
                                     const char *after)
{
    struct block key = {.owner = owner};
    text_copy(key.name, sizeof key.name, strcmp(after, prefix) > 0 ? after : prefix);
    struct block *block = RB_NFIND(block_name_tree, TREE_FOR_LOOKUP(block_name_tree, &table->by_name), &key);
    bool was_before = block && block->owner == owner && strcmp(block->name, after) == 0;
    return if_named(was_before ? RB_NEXT(block_name_tree, NULL, block) : block, owner, prefix);
}

struct block *block_table_following(const struct block *block, const char *prefix)
{
    return if_named(RB_NEXT(block_name_tree, NULL, (struct block *)without_const(block)), block->owner, prefix);
}

struct block *block_table_first_due(const struct block_table *table)
{
    return RB_MIN(block_due_tree, TREE_FOR_LOOKUP(block_due_tree, &table->by_due));
}

static void list(struct block_table *table, struct block *block)
{
    block->is_listed = true;
    RB_INSERT(block_owner_tree, &table->by_owner, block);
    if (block->access != BLOCK_ACCESS_USER) {
        RB_INSERT(block_access_tree, &table->by_access, block);
    }
}

void block_table_unlist(struct block_table *table, struct block *block)
{
    if (block->is_listed) {
        RB_REMOVE(block_owner_tree, &table->by_owner, block);
    }
    if (block->is_listed && block->access != BLOCK_ACCESS_USER) {
        RB_REMOVE(block_access_tree, &table->by_access, block);
    }
    block->is_listed = false;
}

void block_table_add(struct block_table *table, struct block *block)
{
    const struct block *twin = RB_INSERT(block_id_tree, &table->by_id, block);
    assert(!twin);
    (void)twin;
    list(table, block);
    block->bytes = block->segment->charge.bytes;
    table->figures.blocks++;
    table->figures.bytes[block->lifetime] += block->bytes;
}

void block_table_remove(struct block_table *table, struct block *block)
{
    RB_REMOVE(block_id_tree, &table->by_id, block);
    block_table_unlist(table, block);
    table->figures.blocks--;
    table->figures.bytes[block->lifetime] -= block->bytes;
}

void block_table_add_name(struct block_table *table, struct block *block)
{
    const struct block *twin = RB_INSERT(block_name_tree, &table->by_name, block);
    assert(!twin);
    (void)twin;
}

void block_table_remove_name(struct block_table *table, struct block *block)
{
    RB_REMOVE(block_name_tree, &table->by_name, block);
}

void block_table_set_due(struct block_table *table, struct block *block, uint64_t due)
{
    if (block->due) {
        RB_REMOVE(block_due_tree, &table->by_due, block);
    }
    block->due = due;
    if (due) {
        RB_INSERT(block_due_tree, &table->by_due, block);
    }
}

/* ---- those that have ended ---- */

static bool is_of(const struct ended_block *ended, uint32_t owner, const char *name)
{
    return ended->order && ended->owner == owner && strcmp(ended->name, name) == 0;
}

/* The same name's place; else the user's oldest, if the user has as many as one may have; else the oldest, or a free
 * one.
 */
static struct ended_block *place_for(struct block_table *table, uint32_t owner, const char *name)
{
    struct ended_block *oldest = &table->ended[0], *oldest_of_user = NULL;
    size_t of_user = 0;
    for (size_t i = 0; i < BLOCKS_REMEMBERED; i++) {
        struct ended_block *ended = &table->ended[i];
        if (is_of(ended, owner, name)) {
            return ended;
        }
        oldest = ended->order < oldest->order ? ended : oldest;
        if (ended->order && ended->owner == owner) {
            of_user++;
            oldest_of_user = !oldest_of_user || ended->order < oldest_of_user->order ? ended : oldest_of_user;
        }
    }
    return of_user < BLOCKS_REMEMBERED_OF_USER ? oldest : oldest_of_user;
}

void block_table_bury(struct block_table *table, const struct block *block)
{
    struct ended_block *ended = place_for(table, block->owner, block->name);
    *ended = (struct ended_block){.order = ++table->ended_order,
                                  .owner = block->owner,
                                  .gid = block->gid,
                                  .access = block->access,
                                  .reason = block->ended};
    memcpy(ended->name, block->name, sizeof ended->name);
}

const struct ended_block *block_table_recall(const struct block_table *table, uint32_t owner, const char *name)
{
    for (size_t i = 0; i < BLOCKS_REMEMBERED; i++) {
        if (is_of(&table->ended[i], owner, name)) {
            return &table->ended[i];
        }
    }
    return NULL;
}
