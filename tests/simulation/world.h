/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients of a broker, drawn from a seed: they think, ask for RAM, files or either, wait or don't, hold, extend, renew
 * or let expire, trim or ignore the wish, cancel, let go, lose their connection and die. Each draws from numbers of its
 * own, so that the order in which two of them hear something at one instant changes nothing.
 */
#pragma once

#include "tests/simulation/block_rules.h"
#include "tests/simulation/putters.h"
#include "tests/simulation/watchers.h"

/* By a client. */
struct heard {
    uint64_t ms, request, lease, value;
    int kind;
};

struct history {
    struct heard *heard;
    size_t count, capacity;
};

struct outcome {
    struct history histories[CLIENTS_MAX];
    uint64_t grants, refusals, failures, ended;
    uint64_t grants_to_members, jobs_done, jobs_forgotten;
    struct sharing_counts sharing;
    struct watching_counts watching;
    struct putting_counts putting;
};

/* How often the daemon is restarted in a run, if the shell can do that. */
extern uint64_t world_restarts;

struct outcome *world_run(const struct shell_kind *kind, uint64_t seed);

/* What of a reply must be the same whatever the shell. */
struct heard outcome_heard(const struct reply *reply, uint64_t ms);
void outcome_free(struct outcome *outcome);

/* Fails the test, and says where they part, unless every client heard the same at the same times. */
void outcome_compare(const struct outcome *first, const struct outcome *second);
