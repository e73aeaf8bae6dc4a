/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches in the world: clients watch the names of a user's blocks by a prefix, wait or don't, are away and miss what
 * happens, cancel and die. What each knows from what it was told must be what the broker's list says.
 */
#pragma once

#include "tests/simulation/block_rules.h"
#include "tests/simulation/sharers.h"

enum {
    WATCHERS = 4,
    FIRST_WATCHER = FIRST_SHARER - WATCHERS, /* their numbers among the clients */
    WATCHED_NAMES = 8,
};

struct watched {
    char name[MESSAGE_NAME_SIZE];
    uint64_t block;
};

struct watcher {
    struct actor actor;
    uint32_t owner;
    char prefix[8];
    bool is_cancelled, is_of_earlier_daemon;
    uint64_t answer_by;
    uint64_t after; /* the revision up to which it was told; 0: it has to list */
    struct watched known[WATCHED_NAMES];
    size_t known_count;
    uint64_t differs_since; /* ns, while it waits; 0: it knows what there is */
};

/* How often watches were tried. */
struct watching_counts {
    uint64_t lists, publications, ends, lost;
};

struct watchers {
    const struct shell_kind *kind;
    struct shell *shell;
    const struct block_rules *rules;
    struct watcher watchers[WATCHERS];
    struct watching_counts counts;
};

void watchers_begin(struct watchers *watchers, const struct shell_kind *kind, struct shell *shell,
                    const struct block_rules *rules, uint64_t seed, uint64_t now);
uint64_t watchers_next_action(const struct watchers *watchers);
void watchers_act(struct watchers *watchers, uint64_t now);
void watchers_take_reply(struct watchers *watchers, int number, const struct reply *reply, uint64_t now);

/* Fails the test if a watcher that waits does not know the names that there are, or waits for longer than it may. */
void watchers_check(struct watchers *watchers, uint64_t now);

/* The daemon was restarted: all are away, and the next daemon does not remember what they were told. */
void watchers_lose_daemon(struct watchers *watchers, uint64_t now);

/* All die. */
void watchers_end(struct watchers *watchers);
