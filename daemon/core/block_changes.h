/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest publications and ends of blocks, for those who watch names. Each has a revision, one more than the one
 * before it. Another daemon begins with greater ones, so that revisions of an earlier daemon are not taken for its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

struct block;

enum { BLOCK_CHANGES_REMEMBERED = 1024 };

struct remembered_change {
    uint32_t owner, gid;
    enum block_access access;
    struct block_change_entry entry;
};

struct block_changes {
    uint64_t first;    /* the revision that this daemon began with */
    uint64_t revision; /* of the newest change */
    struct remembered_change ring[BLOCK_CHANGES_REMEMBERED];
};

void block_changes_init(struct block_changes *changes, uint64_t first);

/* The block is published, or has lost its name for `ended`. */
void block_changes_add(struct block_changes *changes, const struct block *block, enum end_reason ended);

/* What those who watch are told of the block. */
struct block_change_entry block_changes_entry(const struct block *block, enum end_reason ended);

/* Whether all changes after this revision are remembered. */
bool block_changes_reach(const struct block_changes *changes, uint64_t after);

/* The change of a revision that is remembered. */
const struct remembered_change *block_changes_get(const struct block_changes *changes, uint64_t revision);
