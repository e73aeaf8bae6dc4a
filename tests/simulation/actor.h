/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients that share blocks, put objects and watch names have in common. */
#pragma once

#include <stdbool.h>

#include "tests/simulation/shell.h"

struct actor {
    const struct shell_kind *kind;
    struct shell *shell;
    int number;     /* among the clients */
    uint64_t state; /* of its random numbers */
    uint32_t uid;
    char name[8];
    uint64_t next_at; /* ns */
    bool is_away;
    uint64_t last_request, request; /* 0: none is in progress */
};

/* The one of this index among its like. */
void actor_init(struct actor *actor, const struct shell_kind *kind, struct shell *shell, int number, int index,
                uint64_t random_state);

uint64_t actor_below(struct actor *actor, uint64_t bound);

/* It acts again within so many milliseconds. */
void actor_pause(struct actor *actor, uint64_t most_ms, uint64_t now);

/* Opens a session in which nothing is in progress. */
void actor_open(struct actor *actor);

/* It has no connection for a while, and forgets the request in progress. */
void actor_be_away(struct actor *actor, uint64_t now);

/* Gives the request the next number. */
void actor_send(struct actor *actor, struct request *request);

/* Likewise; the request is in progress until its answer comes, which may be at once. */
void actor_ask(struct actor *actor, struct request *request);
