/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases, and the table that finds them by number and by the time at which something is due.
 *
 * A lease's deadline is its TTL after the later of its grant and its session's last renewal. Renewing a session is
 * one assignment, however many leases it has: the table keeps each lease under a `due` that may be too early. If the
 * lease is still alive at that time, it is inserted again under a later one. Times are nanoseconds of the service
 * clock, which stands still while the daemon is away.
 */
#pragma once

#include "proto/base/tree.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/segment.h"
#include "proto/message.h"

enum lease_state {
    LEASE_MAKING, /* its first segment is being made; no client knows of it yet */
    LEASE_ALIVE,
    LEASE_ENDED, /* its segments are being freed; it never comes back */
};

/* Leases of one share that live in one location and are not marked to be taken, by size, the newest first. */
RB_HEAD(revocable_tree, lease);
struct revocable_set {
    struct revocable_tree leases;
    uint64_t bytes;
};

/* A named file, while a lease has it. */
struct lease_file {
    struct lease *lease;
    uint64_t bytes; /* its exact length */
    char name[MESSAGE_NAME_SIZE];
    RB_ENTRY(lease_file) by_name;
};

struct lease {
    uint64_t id;
    struct session *session;
    enum lease_state state;
    enum end_reason end_reason; /* once ended */
    enum location location;     /* RAM or MMAP; decided at the request */
    bool is_publishable;        /* its segment may become a block */
    bool client_prefaults;      /* prefault was asked for, and its class has the client pay */
    bool is_remembered;         /* its size was a remembered one */
    bool learned;               /* its size is to be remembered */
    bool may_spill;             /* AUTO was asked for: go to a file if RAM can't be had */
    bool warned;                /* the expiring event was sent for the present deadline */
    bool has_slot;
    uint32_t slot;
    uint64_t generation;
    uint64_t ttl_ns;
    uint64_t granted_at;
    uint64_t due;        /* key in the table of due times; valid while alive */
    uint64_t used_bytes; /* as the client reports */
    uint64_t bytes;      /* of its live segments */
    uint32_t extents;    /* segments, those being made included */
    struct segment_options options;
    struct segment_list segments;
    char name[MESSAGE_NAME_SIZE];
    struct block *block;             /* of which it is a view, or the publisher's lease; NULL: none */
    TAILQ_ENTRY(lease) in_views;     /* of that block */
    struct lease_file *file;         /* NULL: nameless */
    struct revocable_set *revocable; /* that it is in; NULL: none */
    uint64_t revoke_at;              /* it will be taken for a request of higher priority; 0: no */
    uint64_t revoking_bytes;         /* what it was marked with */
    uint64_t revoking_gain;          /* what of that is not held back for reserves then */
    bool revoking_told;              /* its client was */
    bool is_spared;                  /* and is to be told that it keeps it */
    struct waiting *revoke_for;      /* that request */
    TAILQ_ENTRY(lease) in_revoking;  /* or in the list of those that are spared */
    TAILQ_ENTRY(lease) in_victims;   /* of that request */
    RB_ENTRY(lease) by_revocable;
    RB_ENTRY(lease) by_session;
    RB_ENTRY(lease) by_user;
    RB_ENTRY(lease) by_id;
    RB_ENTRY(lease) by_due;
};

TAILQ_HEAD(lease_list, lease);
RB_HEAD(lease_id_tree, lease);
RB_HEAD(lease_due_tree, lease);
RB_HEAD(lease_session_tree, lease);
RB_HEAD(lease_user_tree, lease);
RB_HEAD(lease_file_tree, lease_file);

struct lease_table {
    struct lease_id_tree by_id;     /* making and alive */
    struct lease_user_tree by_user; /* the same, each user's together */
    struct lease_due_tree by_due;   /* alive */
    struct lease_file_tree by_file; /* named files that are lent, or being let go of */
    uint64_t alive;
};

void lease_table_init(struct lease_table *table);

void lease_table_add(struct lease_table *table, struct lease *lease);
void lease_table_remove(struct lease_table *table, struct lease *lease);

/* The lease with this number that has not ended, or NULL. */
struct lease *lease_table_find(const struct lease_table *table, uint64_t id);

/* The lease with the smallest number above `id`, or NULL. */
struct lease *lease_table_next(const struct lease_table *table, uint64_t id);

/* The same of the leases of one user's sessions. */
struct lease *lease_table_next_of_user(const struct lease_table *table, uint32_t uid, uint64_t id);

/* Gives a lease a named file, which no other has. False: out of memory. */
bool lease_table_name_file(struct lease_table *table, struct lease *lease, const char *name, uint64_t bytes);

/* Lets go of it, if it has any. */
void lease_table_forget_file(struct lease_table *table, struct lease *lease);

/* The lease that has this named file, or NULL. */
struct lease *lease_table_find_file(const struct lease_table *table, const char *name);

struct broker;

/* What a lease begins with. */
struct lease_terms {
    uint64_t id;
    enum location location;
    uint64_t ttl_ns;
    struct segment_options options;
    bool is_publishable;
    const char *name; /* of MESSAGE_NAME_SIZE bytes */
    const char *file; /* empty: none */
    uint64_t file_bytes;
    bool is_restored; /* it had this slot before a restart of the daemon: */
    uint32_t slot;
    uint64_t generation;
};

enum {
    LEASE_E_SLOTS = 1, /* the session has as many leases as it can have */
    LEASE_E_MEMORY,
};

/* A lease that has a slot and is known to its session and to the table, and has no segment yet. 0 or LEASE_E_*. */
int lease_new(struct broker *broker, struct session *session, const struct lease_terms *terms, struct lease **ret);

/* Gives the lease a segment, which counts as its session's. */
void lease_attach(struct broker *broker, struct lease *lease, struct segment *segment);

/* Removes a lease that never began. */
void lease_abandon(struct broker *broker, struct lease *lease);

/* Frees a lease that has left the table, and lets go of its file. */
void lease_free(struct lease_table *table, struct lease *lease);

/* Puts a lease that was just granted under its first due time. */
void lease_table_grant(struct lease_table *table, struct lease *lease, uint64_t now);

/* A lease grows by a segment. */
void lease_grow(struct lease *lease, uint64_t bytes);

/* The lease with the earliest due time, or NULL; and the one after it. */
struct lease *lease_table_first_due(const struct lease_table *table);
struct lease *lease_table_next_due(struct lease *lease);

enum lease_verdict {
    LEASE_FINE,     /* filed under a later time */
    LEASE_EXPIRING, /* warn the client; filed under its deadline */
    LEASE_EXPIRED,  /* its deadline is over */
};

/* Checks a lease whose due time has come, and inserts it under a later one unless it has expired. */
enum lease_verdict lease_table_check_due(struct lease_table *table, struct lease *lease, uint64_t now);

/* Files an alive lease under another due time: its session is detached, and can't renew it. */
void lease_table_postpone(struct lease_table *table, struct lease *lease, uint64_t due);

/* Leaves the due times: the lease is ending. */
void lease_table_retire(struct lease_table *table, struct lease *lease);
