/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sizes that workspaces learned, by user, class, client name and workspace name: so that the next process of
 * that name starts with the right size. A bounded table; when it is full, the user with the most in it makes room with
 * what it has not used for longest: no user can push out the sizes of a user that has fewer.
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
    uint64_t used; /* the table's count of uses when it last was */
    struct learned_user *user;
    RB_ENTRY(learned_size) by_key;
    TAILQ_ENTRY(learned_size) by_use, of_user;
};

RB_HEAD(learned_tree, learned_size);
TAILQ_HEAD(learned_list, learned_size);

/* A user that has sizes in the table. */
struct learned_user {
    uint32_t uid;
    size_t count;
    struct learned_list sizes; /* longest unused first */
    RB_ENTRY(learned_user) by_uid;
};

RB_HEAD(learned_users, learned_user);

struct learned_table {
    struct learned_tree by_key;
    struct learned_list by_use; /* longest unused first */
    struct learned_users users;
    size_t count;
    uint64_t uses;
    uint64_t changes; /* grows with each */
};

void learned_table_init(struct learned_table *table);
void learned_table_deinit(struct learned_table *table);

/* Remembers a size. What can't be remembered for want of memory is not. */
void learned_note(struct learned_table *table, const struct learned_key *key, uint64_t bytes);

/* The size that is remembered, which counts as a use; 0: none is. */
uint64_t learned_recall(struct learned_table *table, const struct learned_key *key);
