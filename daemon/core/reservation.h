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

struct principal_table;

struct reservation {
    uint64_t id;
    struct reservation_terms terms;
    struct control_paths groups;
    size_t first_count;  /* of the paths: those that it was made with */
    size_t path_bytes;   /* of all, as MESSAGE_PATH_BYTES_MAX counts them */
    uint64_t expires_at; /* service clock; UINT64_MAX: never */
    bool is_over;        /* it was given up */
    bool is_suspended;   /* its members can't renew, says who made it */
    uint64_t held_until; /* while suspended: until then their deadlines stand still */
    bool is_empty;       /* it leaves the policy in this step, and goes if that succeeds */
    TAILQ_ENTRY(reservation) in_table;
};

TAILQ_HEAD(reservation_list, reservation);

struct reservation_table {
    struct reservation_list list; /* by number */
    size_t count;                 /* those that are over too */
    uint64_t next_id;
    uint64_t next_expiry;      /* of those that were not given up, as reservation_next_expiry() finds it */
    bool is_draining;          /* one that is over may have leases */
    struct policy *configured; /* our own copy of the policy without them */
};

/* 0 or -ENOMEM. */
int reservation_table_init(struct reservation_table *table, const struct policy *configured);
void reservation_table_deinit(struct reservation_table *table);

/* The reservation of this name or number, or the one that has exactly this path; NULL: none. One that is over counts.
 */
struct reservation *reservation_named(const struct reservation_table *table, const char *name);
struct reservation *reservation_find(const struct reservation_table *table, uint64_t id);
struct reservation *reservation_with_path(const struct reservation_table *table, const char *path);

/* The one with the smallest number above `id`, or NULL. */
struct reservation *reservation_next(const struct reservation_table *table, uint64_t id);

/* A reservation with these terms and paths, of which those that stand there twice count once; NULL when memory is
 * short. */
struct reservation *reservation_new(struct reservation_table *table, const struct reservation_terms *terms,
                                    const struct control_group_list *groups);
void reservation_free(struct reservation_table *table, struct reservation *reservation);

bool reservation_has_path(const struct reservation *reservation, const char *path);

/* Adds the paths that it does not have. 0, or -ENOMEM and it has none of them. */
int reservation_add_paths(struct reservation *reservation, const struct control_group_list *groups);

/* Takes the newest paths away again, so that so many are left. */
void reservation_drop_paths(struct reservation *reservation, size_t left);

/* What a path counts for path_bytes. */
size_t reservation_path_bytes(const char *path);

/* RAM that is guaranteed to all reservations. */
uint64_t reservation_sum(const struct reservation_table *table);

/* When the first one of them expires that was not given up; UINT64_MAX: none does. */
uint64_t reservation_next_expiry(const struct reservation_table *table);

/* RAM that a policy guarantees. */
uint64_t reservation_policy_sum(const struct policy *policy);

/* Puts the configured policy with all reservations into force, as principal_table_configure() does. */
int reservation_apply(struct reservation_table *table, struct principal_table *principals);

/* Takes another configured policy. 0, or -ENOMEM and nothing has changed. */
int reservation_configure(struct reservation_table *table, const struct policy *configured,
                          struct principal_table *principals);
