/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks in the world: clients of a few users publish blocks, attach those of all users, close, unpublish and replace
 * them, lose their connections and die. Each draws from numbers of its own.
 */
#pragma once

#include "tests/simulation/actor.h"
#include "tests/simulation/block_rules.h"
#include "tests/simulation/jobs.h"

enum {
    SHARERS = 6,
    FIRST_SHARER = SCHEDULER - SHARERS, /* their numbers among the clients */
    SHARING_USERS = 3,
    SHARERS_FIRST_UID = 1000,
    SHARER_VIEWS = 4,
    SHARER_LEASES = 6, /* of what it has published */
};

struct sharer {
    struct actor actor;
    enum request_kind asked;
    uint64_t answer_by;
    struct publish_request publishing;
    struct attach_block_request attaching;
    uint64_t writing; /* a lease that is to be published; 0: none */
    enum location writing_location;
    struct known_view views[SHARER_VIEWS];
    size_t view_count;
    uint64_t published[SHARER_LEASES];
    size_t published_count;
};

struct sharers {
    const struct shell_kind *kind;
    struct shell *shell;
    struct sharer sharers[SHARERS];
    struct block_rules rules;
    uint64_t reserved_at; /* ns, when a reservation was made last */
};

void sharers_begin(struct sharers *sharers, const struct shell_kind *kind, struct shell *shell, uint64_t seed,
                   uint64_t now);
uint64_t sharers_next_action(const struct sharers *sharers);
void sharers_act(struct sharers *sharers, uint64_t now);
void sharers_take_reply(struct sharers *sharers, int number, const struct reply *reply, uint64_t now);

/* Fails the test unless each rule of blocks holds, and no request waits for longer than it may. */
void sharers_check(struct sharers *sharers, uint64_t now);

/* The daemon was restarted: all are away. */
void sharers_lose_daemon(struct sharers *sharers, uint64_t now);

/* All die, and their blocks are unpublished. */
void sharers_end(struct sharers *sharers, uint64_t now);
