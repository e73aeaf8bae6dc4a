/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariants of the core's tables, executable. Each function recounts one kind of object and returns what is wrong,
 * as a sentence that names the counter or the list, or NULL. Slow: every sum is computed again from the objects.
 */
#pragma once

#include "daemon/core/broker_state.h"

const char *check_segments(const struct broker *broker);
const char *check_leases(const struct broker *broker);
const char *check_accounts(const struct broker *broker);
const char *check_sessions(const struct broker *broker);
const char *check_principals(const struct broker *broker);
const char *check_reservations(const struct broker *broker);
const char *check_queue(const struct broker *broker);
const char *check_blocks(const struct broker *broker);
const char *check_boards(const struct broker *broker);
const char *check_watches(const struct broker *broker);
const char *check_pool(const struct broker *broker);
const char *check_learned(const struct learned_table *table);

/* Walks all sessions, those that are over too; NULL begins, and ends. */
const struct session *check_walk_next(const struct broker *broker, const struct session *session);

/* What a session's leases, segments, requests and slots come to. */
const char *check_lease(const struct broker *broker, const struct lease *lease);
const char *check_slots(const struct session *session);

/* The first thing that was found wrong. */
static inline const char *require(const char *wrong, bool holds, const char *sentence)
{
    return wrong ? wrong : holds ? NULL : sentence;
}

/* Defines NAME(root, &before, &count), which counts the members of a tree and tells whether they are in order. */
#define CHECK_TREE(name, type, field, goes_before)                                                                     \
    static bool name(const struct type *at, const struct type **before, uint64_t *count)                               \
    {                                                                                                                  \
        if (!at) {                                                                                                     \
            return true;                                                                                               \
        }                                                                                                              \
        bool in_order = name(RB_LEFT(at, field), before, count) && (!*before || goes_before(*before, at));             \
        *before = at;                                                                                                  \
        ++*count;                                                                                                      \
        return in_order && name(RB_RIGHT(at, field), before, count);                                                   \
    }
