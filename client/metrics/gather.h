/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What metrics are made of: the broker's answers to a few requests, copied. Their number is bounded: all classes and
 * reservations, the users that have most, and no lease.
 */
#pragma once

#include "proto/base/histogram.h"
#include "proto/message.h"

enum { GATHER_BUCKETS_MAX = 64, GATHER_REFUSALS_MAX = 32, GATHER_USERS_DEFAULT = 20, GATHER_USERS_MAX = 1000 };

struct gathered_durations {
    struct duration_count buckets[GATHER_BUCKETS_MAX];
    size_t count;
    uint64_t sum_ns;
};

/* What the broker says of itself. The texts of the status are left out: two of them are only counted. */
struct gathered_broker {
    struct status_reply status;
    char version[64];
    uint64_t is_misconfigured, warnings;
};

struct gathered {
    struct gathered_broker broker;
    struct metrics_reply metrics; /* without its lists */
    struct limit_count refusals[GATHER_REFUSALS_MAX];
    size_t refusal_count;
    struct gathered_durations acquire, wait, freeing, turn;
    struct usage_entry *classes; /* and reservations */
    size_t class_count, class_room;
    struct usage_entry *users; /* those who hold most, in descending order */
    size_t user_count, user_most;
    uint64_t all_users; /* how many there are */
};

/* Sends a request and waits: 0, or negative errno. *ret is valid until the next call. */
typedef int gather_ask(void *data, struct request *request, const struct reply **ret);

/* The same, and -EPROTO if the answer is of another kind. */
int gather_one(gather_ask *ask, void *data, struct request *request, enum reply_kind kind, const struct reply **ret);

/* Asks for the status. After a failure *ret is as it was. */
int gather_broker(gather_ask *ask, void *data, struct gathered_broker *ret);

/* Asks, and fills *ret, which gather_free() empties: 0, or what `ask` returned, or -ENOMEM, or -EPROTO if an answer is
 * not of the kind that was asked for. `users`: how many at most. */
int gather(gather_ask *ask, void *data, size_t users, struct gathered *ret);
void gather_free(struct gathered *gathered);
