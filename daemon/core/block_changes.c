/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/block_changes.h"

#include <string.h>

#include "daemon/core/block.h"

void block_changes_init(struct block_changes *changes, uint64_t first)
{
    changes->first = changes->revision = first ? first : 1; /* 0 asks for a list */
}

struct block_change_entry block_changes_entry(const struct block *block, enum end_reason ended)
{
    struct block_change_entry entry = {.block = block->id, .bytes = block->bytes, .ended = ended};
    memcpy(entry.name, block->name, sizeof entry.name);
    memcpy(entry.type, block->type, sizeof entry.type);
    return entry;
}

void block_changes_add(struct block_changes *changes, const struct block *block, enum end_reason ended)
{
    struct remembered_change *change = &changes->ring[++changes->revision % BLOCK_CHANGES_REMEMBERED];
    *change = (struct remembered_change){
        .owner = block->owner, .gid = block->gid, .access = block->access, .entry = block_changes_entry(block, ended)};
}

bool block_changes_reach(const struct block_changes *changes, uint64_t after)
{
    return after >= changes->first && after <= changes->revision &&
           changes->revision - after <= BLOCK_CHANGES_REMEMBERED;
}

const struct remembered_change *block_changes_get(const struct block_changes *changes, uint64_t revision)
{
    return &changes->ring[revision % BLOCK_CHANGES_REMEMBERED];
}
