/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parties: the users, groups and classes that sessions stand under, each with an account and a quota. And flows: the
 * sessions of one user in one class, between which waiting memory is shared by weight.
 *
 * A party lives as long as a session stands under it, and one that the policy names lives always: its
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

/* What a class or flow had beyond its share while others waited. */
struct served {
    bool waits;       /* for what it shares with others */
    __int128 excess;  /* bytes, since the last pass over the queue */
    __int128 charged; /* the sum over time, in byte-nanoseconds */
};

struct party {
    struct account account;
    enum party_kind kind;
    uint32_t id;                    /* of a user or group */
    char name[POLICY_NAME_SIZE];    /* of a class, or as the policy names it */
    char whose[MESSAGE_WHOSE_SIZE]; /* "class training" */
    struct quota quota;
    bool is_named; /* by the policy */
    size_t references;
    uint64_t sessions, leases;
    uint64_t claimed_leases; /* by waiting requests that stand before the one looked at */
    uint64_t waiting;        /* requests, of a user */
    struct served served;    /* a class, beside other classes */
    struct sharers sharers;  /* the flows of a class */
    uint64_t under_way;      /* a user's requests that wait, and segments that are being made for it */
    TAILQ_ENTRY(party) in_table;
};

struct flow {
    struct account account; /* has no limits: what the flow holds */
    struct party *user, *group, *class;
    uint32_t priority, weight;
    struct served served; /* beside other flows of its class */
    size_t references;
    struct waiting_list waiting;               /* first come first */
    struct waiting *next;                      /* the next to be looked at in a pass over the queue */
    struct revocable_set revocable[LOCATIONS]; /* what its sessions hold */
    bool is_exhausted;                         /* for whoever takes leases: what is left of it is reserved */
    TAILQ_ENTRY(flow) in_table;
};

TAILQ_HEAD(party_list, party);
TAILQ_HEAD(flow_list, flow);

struct party_table {
    struct policy *policy; /* our own copy */
    struct account *host;
    struct party_list parties[PARTY_KINDS];
    struct flow_list flows;
    uint32_t top_priority; /* the highest that the policy gives */
};

/* 0 or -ENOMEM. */
int party_table_init(struct party_table *table, struct account *host, const struct policy *policy);
void party_table_deinit(struct party_table *table);

/*
 * Takes another policy into force: parties are given its quotas; sessions must be put under what it says anew. 0, or
 * -ENOMEM and nothing has changed.
 */
int party_table_configure(struct party_table *table, const struct policy *policy);

/* The flow that a client belongs to, referenced; NULL when memory is short. */
struct flow *flow_join(struct party_table *table, const struct identity *identity, const char *name);
void flow_leave(struct party_table *table, struct flow *flow);

/* Whether its sessions' accounts stand under this one. */
bool flow_stands_under(const struct party_table *table, const struct flow *flow, const struct account *account);

/* The accounts that a session of this flow stands under, the host's last. */
void flow_accounts(const struct party_table *table, struct flow *flow, struct account *ret[ACCOUNT_ABOVE_MAX]);

/* One session, or so many leases, more (or less) in each party of the flow. */
void flow_count_session(struct flow *flow, bool add);
void flow_count_leases(struct flow *flow, uint64_t leases, bool add);

/* The party that has no room for another session or lease, or NULL. */
const struct party *flow_full_of_sessions(const struct flow *flow);
const struct party *flow_full_of_leases(const struct flow *flow);

/*
 * A request that waits claims a lease in the flow's parties, from the user up to the one with this account (the host's:
 * in all of them), until flow_forget_claims(). Takes NULL: none.
 */
void flow_claim_lease(struct flow *flow, const struct account *last);
void flow_forget_claims(struct flow *flow);
