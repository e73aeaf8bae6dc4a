/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sizes that workspaces learned, by user, class, client name and workspace name: so that the next process of
 * that name starts with the right size. A bounded table; the one that was not used for longest makes room.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/policy.h"
#include "proto/base/tree.h"

enum { LEARNED_MAX = 4096 };

struct learned_key {
    uint32_t uid;
    char class[POLICY_NAME_SIZE];
    char client[MESSAGE_NAME_SIZE];
    char workspace[MESSAGE_NAME_SIZE];
};

struct learned_size {
    struct learned_key key;
    uint64_t bytes;
    RB_ENTRY(learned_size) by_key;
    TAILQ_ENTRY(learned_size) by_use;
};

RB_HEAD(learned_tree, learned_size);
TAILQ_HEAD(learned_list, learned_size);

struct learned_table {
    struct learned_tree by_key;
    struct learned_list by_use; /* longest unused first */
    size_t count;
    uint64_t changes; /* grows with each */
};

void learned_table_init(struct learned_table *table);
void learned_table_deinit(struct learned_table *table);

/* Remembers a size. What can't be remembered for want of memory is not. */
void learned_note(struct learned_table *table, const struct learned_key *key, uint64_t bytes);

/* The size that is remembered, which counts as a use; 0: none is. */
uint64_t learned_recall(struct learned_table *table, const struct learned_key *key);
