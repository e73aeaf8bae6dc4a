/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at blocks; nothing changes. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"

static const struct block *next_of_all(const struct block_table *blocks, uint64_t after)
{
    const struct block *block = block_table_next(blocks, after);
    while (block && !block->is_listed) {
        block = block_table_next(blocks, block->id);
    }
    return block;
}

static const struct block *earlier(const struct block *a, const struct block *b)
{
    return a && (!b || a->id < b->id) ? a : b;
}

/* The user's own, those of its groups and those for all: blocks that it may not see are not looked at. */
static const struct block *next_admitted(const struct block_table *blocks, const struct identity *viewer,
                                         uint64_t after)
{
    const struct block *next = block_table_next_of_owner(blocks, viewer->uid, after);
    next = earlier(next, block_table_next_shared(blocks, BLOCK_ACCESS_ALL, 0, after));
    next = earlier(next, block_table_next_shared(blocks, BLOCK_ACCESS_GROUP, viewer->gid, after));
    for (uint32_t i = 0; i < viewer->group_count; i++) {
        next = earlier(next, block_table_next_shared(blocks, BLOCK_ACCESS_GROUP, viewer->groups[i], after));
    }
    return next;
}

static const struct block *next_shown(const struct broker *broker, const struct identity *viewer, uint64_t after)
{
    return visibility_shows_all(broker, viewer) ? next_of_all(&broker->blocks, after)
                                                : next_admitted(&broker->blocks, viewer, after);
}

static void fill_block(const struct block *block, uint64_t now, struct block_entry *entry)
{
    bool is_kept = block->state == BLOCK_PUBLISHED && block->due;
    *entry = (struct block_entry){
        .block = block->id,
        .owner = block->owner,
        .bytes = block->segment->charge.bytes,
        .views = block->view_count + (block->publisher ? 1 : 0),
        .location = block->segment->charge.location,
        .lifetime = block->lifetime,
        .access = block->access,
        .gid = block->gid,
        .age_ms = size_subtract_floored(now, block->published_at) / NANOSECONDS_PER_MILLISECOND,
        .keep_ms = is_kept ? size_subtract_floored(block->due, now) / NANOSECONDS_PER_MILLISECOND : UINT64_MAX,
        .publisher = block->publisher ? block->publisher->session->id : 0,
        .ended = block->ended,
    };
    memcpy(entry->name, block->name, sizeof entry->name);
    memcpy(entry->type, block->type, sizeof entry->type);
}

size_t broker_list_blocks(const struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                          struct block_entry *entries, size_t max, bool *ret_more)
{
    const struct block *block = next_shown(broker, viewer, after);
    size_t count = 0;
    for (; block && count < max; block = next_shown(broker, viewer, block->id)) {
        fill_block(block, now, &entries[count++]);
    }
    *ret_more = block;
    return count;
}

uint64_t broker_count_beyond_sharing(const struct broker *broker, char sentence[MESSAGE_SENTENCE_SIZE])
{
    const uint32_t most_blocks = broker->options.settings.sharing.blocks_max;
    const uint32_t most_views = broker->options.settings.sharing.views_max;
    struct principal_walk walk = principal_walk_begin(&broker->principals, 0);
    const struct principal *user;
    uint64_t count = 0;
    while ((user = principal_walk_next(&walk))) {
        if (user->blocks <= most_blocks && user->views <= most_views) {
            continue;
        }
        if (count++ == 0) {
            (void)snprintf(
                sentence, MESSAGE_SENTENCE_SIZE,
                "%s has %llu blocks and %llu views of blocks, and [sharing] max_blocks is %u and max_views %u",
                user->whose, (unsigned long long)user->blocks, (unsigned long long)user->views, most_blocks,
                most_views);
        }
    }
    return count;
}
