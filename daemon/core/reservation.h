/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations: classes that are made while the broker runs. A reservation's bytes of RAM are guaranteed to it, and are
 * its limit. Its members are the processes in its control groups, and below them.
 *
 * A reservation is one more rule of the policy, before those of the configuration. One that was given up stays as a
 * rule that grants nothing until its control groups are empty: processes that outlive a job get no memory elsewhere.
 */
#pragma once

#include <sys/queue.h>

#include "daemon/core/input.h"
#include "daemon/core/policy.h"

enum { RESERVATIONS_MAX = 256, RESERVATION_PATHS_MAX = 64 };

struct principal_table;

struct reservation {
    struct reservation_terms terms;
    char *first_paths;             /* that it was made with, as control_group.h has groups */
    struct policy_member *members; /* one for each path */
    size_t member_count;
    bool is_over; /* it was given up */
    TAILQ_ENTRY(reservation) in_table;
};

TAILQ_HEAD(reservation_list, reservation);

struct reservation_table {
    struct reservation_list list; /* in the order in which they were made */
    size_t count;                 /* those that are over too */
    bool is_draining;             /* one that is over may have leases */
    struct policy *configured;    /* our own copy of the policy without them */
};

/* 0 or -ENOMEM. */
int reservation_table_init(struct reservation_table *table, const struct policy *configured);
void reservation_table_deinit(struct reservation_table *table);

/* The reservation of this name, or the one that has exactly this path; NULL: none. One that is over counts. */
struct reservation *reservation_find(const struct reservation_table *table, const char *name);
struct reservation *reservation_with_path(const struct reservation_table *table, const char *path, size_t length);

/* An empty reservation with these terms, whose paths are still to be added; NULL when memory is short. */
struct reservation *reservation_new(struct reservation_table *table, const struct reservation_terms *terms,
                                    const char *paths);
void reservation_free(struct reservation_table *table, struct reservation *reservation);

/* Adds a path that it does not have. 0 or -ENOMEM. */
int reservation_add_path(struct reservation *reservation, const char *path, size_t length);

/* Takes the newest path away again. */
void reservation_drop_path(struct reservation *reservation);

/* RAM that is guaranteed: by the configuration and by all reservations. */
uint64_t reservation_sum(const struct reservation_table *table);

/* Puts the configured policy with all reservations into force, as principal_table_configure() does. */
int reservation_apply(const struct reservation_table *table, struct principal_table *principals);

/* Takes another configured policy. 0, or -ENOMEM and nothing has changed. */
int reservation_configure(struct reservation_table *table, const struct policy *configured,
                          struct principal_table *principals);
