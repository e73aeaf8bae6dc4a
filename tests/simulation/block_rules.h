/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of blocks at any time, from the broker's listings and from what clients know themselves. */
#pragma once

#include "tests/simulation/shell.h"

enum { RULED_BLOCKS = 256 };

/* A view of a client that is connected, and was not told that it has ended. */
struct known_view {
    uint64_t lease, block;
};

struct ruled_block {
    struct block_entry entry;
    uint64_t ended_at; /* ns, when it was first seen to have ended; 0: it has not */
};

/* How often the blocks of a world were tried. */
struct sharing_counts {
    uint64_t publications, files, grants_beside_reserves, attachments, evictions, ends_with_views, restarts_with_blocks;
};

struct block_rules {
    struct ruled_block blocks[RULED_BLOCKS]; /* at the last look */
    size_t count;
    uint64_t evicted; /* since the daemon started */
    struct sharing_counts counts;
};

/* Looks at all blocks, and fails the test unless each of these holds: a name has one block, its owner pays for it, and
 * what was evicted is a cache without views. */
void block_rules_look(struct block_rules *rules, const struct broker *broker, uint64_t now);

/* At the last look the block of a user's view was there, was not evicted, and had not ended long before if it is
 * another user's. */
void block_rules_check_view(const struct block_rules *rules, const struct known_view *view, uint32_t uid, uint64_t now);

/* The block that an owner's name leads to; NULL: to none. */
const struct block_entry *block_rules_named(const struct block_rules *rules, uint32_t owner, const char *name);

/* RAM was just granted to a member of a class of the configuration. */
void block_rules_check_grant(const struct broker *broker, const char *class_name, uint64_t now);

/* A client was told that a block has ended for this reason. */
void block_rules_check_end(const struct block_rules *rules, uint64_t number, enum end_reason reason);

/* After a restart: the last look's blocks, names and views must be there. */
void block_rules_check_restart(struct block_rules *rules, const struct broker *broker, uint64_t now);
