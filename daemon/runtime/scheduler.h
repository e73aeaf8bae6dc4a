/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares the loop's time among users. Users with messages take turns; in its turn a user gets a share of time, in which
 * its connections are served in turn, one message each. Time beyond the share is taken off the user's next shares. So
 * while others have messages too, a user with a thousand connections, or with expensive requests, gets no more of the
 * loop than one with a single connection.
 */
#pragma once

#include <stddef.h>

#include "daemon/runtime/user_load.h"

struct connection;

struct scheduler {
    struct user_load_list loads;
    struct user_load_queue ready; /* users who have connections to serve, in the order of their turns */
};

static inline void scheduler_init(struct scheduler *scheduler)
{
    LIST_INIT(&scheduler->loads);
    TAILQ_INIT(&scheduler->ready);
}

static inline bool scheduler_has_work(const struct scheduler *scheduler)
{
    return !TAILQ_EMPTY(&scheduler->ready);
}

/* The connection is to be served, in this turn of the loop or a later one. */
void scheduler_add(struct connection *connection);

/* It is not to be served (any more). */
void scheduler_remove(struct connection *connection);

/* This user has used so much of the loop's time outside of its turn. */
void scheduler_charge(struct user_load *load, uint64_t nanoseconds);
