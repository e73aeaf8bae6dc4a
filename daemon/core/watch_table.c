/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for changes of names, found by the prefixes of a name. */
#include <stdlib.h>
#include <string.h>

#include "daemon/core/block.h"
#include "daemon/core/watch.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

static int compare_groups(const struct watch_group *a, const struct watch_group *b)
{
    int by_owner = (a->owner > b->owner) - (a->owner < b->owner);
    int by_watcher = by_owner ? by_owner : a->is_owners - b->is_owners;
    return by_watcher ? by_watcher : strcmp(a->prefix, b->prefix);
}

static int compare_ends(const struct watch *a, const struct watch *b)
{
    int by_end = (a->until > b->until) - (a->until < b->until);
    return by_end ? by_end : (a->number > b->number) - (a->number < b->number);
}

TREE_GENERATE(watch_group_tree, watch_group, by_prefix, compare_groups)
TREE_GENERATE(watch_until_tree, watch, by_until, compare_ends)

void watch_table_init(struct watch_table *table, uint64_t first_revision)
{
    TAILQ_INIT(&table->fresh);
    TAILQ_INIT(&table->ready);
    RB_INIT(&table->groups);
    RB_INIT(&table->by_until);
    block_changes_init(&table->changes, first_revision);
}

/* ---- groups ---- */

static struct watch_group *new_group(struct watch_table *table, const struct watch_group *key)
{
    struct watch_group *group = calloc(1, sizeof *group);
    if (group) {
        *group = *key;
        TAILQ_INIT(&group->watches);
        RB_INSERT(watch_group_tree, &table->groups, group);
    }
    return group;
}

static void set_ready(struct watch_table *table, struct watch_group *group, bool is_ready)
{
    if (is_ready && !group->is_ready) {
        TAILQ_INSERT_TAIL(&table->ready, group, in_ready);
    } else if (!is_ready && group->is_ready) {
        TAILQ_REMOVE(&table->ready, group, in_ready);
    }
    group->is_ready = is_ready;
}

bool watch_table_park(struct watch_table *table, struct watch *watch)
{
    struct watch_group key = {.owner = watch->owner, .is_owners = watch->is_owners};
    text_copy(key.prefix, sizeof key.prefix, watch->prefix);
    struct watch_group *group = RB_FIND(watch_group_tree, &table->groups, &key);
    group = group ? group : new_group(table, &key);
    if (!group) {
        return false;
    }
    watch->group = group;
    TAILQ_INSERT_TAIL(&group->watches, watch, in_list);
    RB_INSERT(watch_until_tree, &table->by_until, watch);
    return true;
}

void watch_table_unlist(struct watch_table *table, struct watch *watch)
{
    struct watch_group *group = watch->group;
    if (!group) {
        TAILQ_REMOVE(&table->fresh, watch, in_list);
        return;
    }
    uint64_t before_match = group->is_ready ? group->first_match - 1 : table->changes.revision;
    watch->after = size_max(watch->after, before_match);
    watch->group = NULL;
    TAILQ_REMOVE(&group->watches, watch, in_list);
    RB_REMOVE(watch_until_tree, &table->by_until, watch);
    if (TAILQ_EMPTY(&group->watches)) {
        set_ready(table, group, false);
        RB_REMOVE(watch_group_tree, &table->groups, group);
        free(group);
    }
}

/* ---- matching ---- */

static void match_group(struct watch_table *table, struct watch_group *key)
{
    struct watch_group *group = RB_FIND(watch_group_tree, &table->groups, key);
    if (!group) {
        return;
    }
    group->last_match = table->changes.revision;
    if (!group->is_ready) {
        group->first_match = group->last_match;
    }
    set_ready(table, group, true);
}

void watch_table_note(struct watch_table *table, const struct block *block, enum end_reason ended)
{
    struct watch_group of_owner = {.owner = block->owner, .is_owners = true}, of_others = {.owner = block->owner};
    bool is_owners_alone = block->access == BLOCK_ACCESS_USER;
    size_t length = strlen(block->name);
    block_changes_add(&table->changes, block, ended);
    for (size_t i = 0; !RB_EMPTY(&table->groups) && i <= length; i++) {
        match_group(table, &of_owner);
        if (!is_owners_alone) {
            match_group(table, &of_others);
        }
        of_owner.prefix[i] = of_others.prefix[i] = block->name[i];
    }
}

struct watch *watch_table_first_ready(struct watch_table *table)
{
    struct watch_group *group;
    while ((group = TAILQ_FIRST(&table->ready))) {
        struct watch *first = TAILQ_FIRST(&group->watches);
        if (first->after < group->last_match) {
            return first;
        }
        set_ready(table, group, false); /* those behind it know no less */
    }
    return NULL;
}

struct watch *watch_table_first_until(const struct watch_table *table)
{
    return RB_MIN(watch_until_tree, TREE_FOR_LOOKUP(watch_until_tree, &table->by_until));
}
