/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Principals: the users, groups and classes that sessions stand under, each with an account and a quota. And shares:
 * the sessions of one user in one class, between which waiting memory is shared by weight.
 *
 * A principal lives as long as a session stands under it, and one that the policy names lives always: its
 * reserve must be held back before its first session comes.
 */
#pragma once

#include <sys/queue.h>

#include "daemon/core/lease.h"
#include "daemon/core/ledger.h"
#include "daemon/core/policy.h"
#include "daemon/core/waiting.h"

/* What is shared by weight: what those who wait hold together, and their weights. */
struct sharers {
    uint64_t held, weight;
};

/* What a class or share had beyond its share while others waited. */
struct served {
    bool waits;       /* for what it shares with others */
    __int128 excess;  /* bytes, since the last pass over the queue */
    __int128 charged; /* the sum over time, in byte-nanoseconds */
};

struct principal {
    struct account account;
    enum principal_kind kind;
    uint64_t number;                /* grows with each one that is made */
    uint32_t id;                    /* of a user or group */
    char name[POLICY_NAME_SIZE];    /* of a class, or as the policy names it */
    char whose[MESSAGE_WHOSE_SIZE]; /* "class training" */
    struct quota quota;
    bool is_named; /* by the policy */
    size_t references;
    uint64_t sessions, leases;
    uint64_t claimed_leases;         /* by waiting requests that stand before the one looked at */
    uint64_t waiting, waiting_bytes; /* requests, and what they ask for */
    struct served served;            /* a class, beside other classes */
    struct sharers sharers;          /* the shares of a class */
    uint64_t blocks;                 /* a user's: that are charged to it, and are not being freed */
    uint64_t views, watches;         /* a user's, which it has */
    uint64_t objects, board_bytes;   /* a user's: objects that it has, and the memory of its boards */
    uint64_t under_way;              /* a user's requests that wait, and segments that are being made for it */
    TAILQ_ENTRY(principal) in_table;
};

struct share {
    struct account account; /* has no limits: what the share holds */
    struct principal *user, *group, *class;
    uint32_t priority, weight;
    struct served served; /* beside other shares of its class */
    size_t references;
    struct waiting_list waiting;               /* first come first */
    struct waiting *next;                      /* the next to be looked at in a pass over the queue */
    struct revocable_set revocable[LOCATIONS]; /* what its sessions hold */
    bool is_exhausted;                         /* while leases are taken: the rest of it is reserved */
    TAILQ_HEAD(share_boards, board) boards;    /* of objects of its sessions, that have not ended */
    TAILQ_ENTRY(share) in_table;
};

TAILQ_HEAD(principal_list, principal);
TAILQ_HEAD(share_list, share);

struct principal_table {
    struct policy *policy; /* our own copy */
    struct account *host;
    struct principal_list principals[PRINCIPAL_KINDS];
    struct share_list shares;
    uint32_t top_priority; /* the highest that the policy gives */
    uint64_t last_number;  /* of a principal */
};

/* 0 or -ENOMEM. */
int principal_table_init(struct principal_table *table, struct account *host);
void principal_table_deinit(struct principal_table *table);

/*
 * Puts another policy into force: the principals get its quotas. The caller then assigns each session to its
 * principals again. 0, or -ENOMEM and nothing has changed.
 */
int principal_table_configure(struct principal_table *table, const struct policy *policy);

/* The class of this name, which the policy names. */
const struct principal *principal_class(const struct principal_table *table, const char *name);

/* The share that a client belongs to, referenced, and why it has this class; NULL when memory is short. */
struct share *share_join(struct principal_table *table, const struct policy_client *client,
                         struct class_reason *ret_reason);

/* The same in the class of this name, whatever else the client is; as a client of no name if there is no such class. */
struct share *share_join_class(struct principal_table *table, const struct identity *identity, const char *class_name);

/* The same for a client of which a share is known, which is most likely still the one. */
struct share *share_join_again(struct principal_table *table, struct share *before, const struct policy_client *client,
                               struct class_reason *ret_reason);
void share_leave(struct principal_table *table, struct share *share);

/* Whether its sessions' accounts stand under this one. */
bool share_is_descendant_of(const struct principal_table *table, const struct share *share,
                            const struct account *account);

/* The accounts that a session of this share stands under, the host's last. */
void share_accounts(const struct principal_table *table, struct share *share, struct account *ret[ACCOUNT_ABOVE_MAX]);

/* One session, or so many leases, more (or less) in each principal of the share. */
void share_count_session(struct share *share, bool add);
void share_count_leases(struct share *share, uint64_t leases, bool add);

/* One request more (or less) waits, and so many bytes are asked for. */
void share_count_waiting(struct share *share, uint64_t bytes, bool add);

/* Requests that wait ask for so many bytes more (or less). */
void share_count_waiting_bytes(struct share *share, uint64_t bytes, bool add);

/* A walk over all principals, in the order of their numbers, that begins behind `after`. */
struct principal_walk {
    const struct principal *next[PRINCIPAL_KINDS];
};

struct principal_walk principal_walk_begin(const struct principal_table *table, uint64_t after);

/* The next one, or NULL. */
const struct principal *principal_walk_next(struct principal_walk *walk);

/* The principal that has no room for another session or lease, or NULL. */
const struct principal *share_full_of_sessions(const struct share *share);
const struct principal *share_full_of_leases(const struct share *share);

/*
 * A request that waits claims a lease in the share's principals, from the user up to the one with this account (the
 * host's: in all of them), until share_forget_claims(). Takes NULL: none.
 */
void share_claim_lease(struct share *share, const struct account *last);
void share_forget_claims(struct share *share);
