/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: one client process's leases, its account, and the token that lets it come back after its
 * connection broke. A session that is over stays until its last segment is freed, because its account
 * still carries their charges.
 */
#pragma once

#include "proto/base/tree.h"
#include <sys/queue.h>

#include "daemon/core/identity.h"
#include "daemon/core/input.h"
#include "daemon/core/learned.h"
#include "daemon/core/lease.h"
#include "daemon/core/principal.h"
#include "daemon/core/slots.h"
#include "daemon/core/waiting.h"
#include "daemon/core/watch.h"

enum session_state {
    SESSION_CONNECTED,
    SESSION_DETACHED, /* the connection broke; the process lives; resumable until grace_until */
    SESSION_OVER,     /* its leases are being ended, its segments freed */
};

enum { SESSION_TOMBSTONES = 64 };

/* What was asked for. */
struct wish {
    uint64_t bytes; /* rounded; 0: a view, which takes no memory */
    enum location location;
    bool takes_lease;        /* else it extends one */
    enum limit_kind sharing; /* the limit of [sharing] that counts what was asked for; else it was memory */
};

struct session {
    uint64_t id;
    enum session_state state;
    enum end_reason over_reason; /* why its leases end, once over */
    struct identity identity;
    struct token token;
    char name[MESSAGE_NAME_SIZE];
    char *control_groups; /* its process's when it began; NULL: unknown */
    void *peer;           /* the shell's */
    struct account account;
    struct share *share;
    struct class_reason reason;  /* why it has the class of its share */
    struct refusal last_refusal; /* for `why` */
    enum location refused_location;
    struct wish refused_wish;
    uint64_t refused_at; /* 0: never */
    uint64_t trim_until; /* an answer to a trim event is awaited until then; 0: none is */
    struct slot_table slots;
    uint64_t renewed_at;    /* service clock; 0: never */
    uint64_t input_read_at; /* when its connection was last known to hold no unread request; 0: never */
    uint64_t grace_until;   /* while detached */
    bool is_frozen;         /* its process was, at the last look */
    uint64_t hold_limit;    /* longest time until which its deadlines stand still because of that; 0: not frozen since
                               it was renewed last */
    uint64_t look_asked_at; /* a look at its process was asked for then, and is awaited; 0: none is */
    uint64_t look_answered_at; /* the last one; 0: never */
    uint64_t trimmed_at;       /* when it was last asked to trim; 0: never */
    uint64_t trim_held;        /* what it held then */
    uint32_t trims_vain;       /* how often in a row it gave back nothing, or did not answer in time */
    uint64_t used[LOCATIONS];  /* of its leases, as it reports */
    uint32_t lease_count;      /* alive or making: each has a slot */
    uint64_t segment_count;
    uint32_t makings;                 /* segments that are being made for it */
    bool draining;                    /* over, and leases are still to be ended */
    uint64_t bye_request;             /* that ended it, if over_reason is END_RELEASED */
    struct lease_session_tree leases; /* alive or making */
    uint64_t looked_at;               /* the lease whose segments were looked at last; 0: none */
    struct session_waiting_list waiting;
    size_t waiting_count;
    uint32_t name_wait_count;  /* requests of it that wait for a block */
    struct watch_list watches; /* and those that watch names */
    uint32_t watch_count;
    TAILQ_HEAD(session_objects, object) objects;     /* that end with it */
    struct lease_end tombstones[SESSION_TOMBSTONES]; /* the newest ended leases, as a ring */
    size_t tombstone_next;
    RB_ENTRY(session) by_id;
    RB_ENTRY(session) by_grace;
    RB_ENTRY(session) by_user;
    TAILQ_ENTRY(session) in_refused;
    TAILQ_ENTRY(session) in_over;
    TAILQ_ENTRY(session) in_holding;
    TAILQ_ENTRY(session) in_trimming;
};

RB_HEAD(session_id_tree, session);
RB_HEAD(session_user_tree, session);
RB_HEAD(session_grace_tree, session);
TAILQ_HEAD(session_list, session);

struct session_table {
    struct session_id_tree by_id;       /* all but those that are over */
    struct session_user_tree by_user;   /* the same, each user's together */
    struct session_grace_tree by_grace; /* detached */
    struct session_list refused;        /* those that a request was refused to, the last in front; none is over */
    struct session_list over;           /* over, with leases still to end */
    struct session_list holding;        /* those with segments: few of many that are only there */
    uint64_t count;                     /* in by_id */
};

void session_table_init(struct session_table *table);

/* What a session begins with: from its client's hello, or from the record of an earlier daemon. */
struct session_terms {
    uint64_t id;
    const struct identity *identity;
    const struct byte_limits *limits;
    const struct token *token;
    const char *name;
    const char *control_groups; /* NULL: unknown */
    const struct class_reason *reason;
    const struct control_room *room;
    void *peer;
};

/*
 * A connected session under a share, whose reference it takes. NULL: memory is short (or `share` is NULL), and the
 * reference is given back. The table owns the session.
 */
struct session *session_new(struct session_table *table, struct principal_table *principals, struct share *share,
                            const struct session_terms *terms);

/* What decides on its class. */
struct policy_client session_client(const struct session *session);

/* Puts a session under a share, whose reference it takes, and under the accounts above that. */
void session_join(struct principal_table *principals, struct session *session, struct share *share);

/* It has so many slots from now on; 0: as before. Never fewer. */
void session_set_room(struct session *session, const struct control_room *room);

/* Gives it a lease, or takes one that ended or never began. */
void session_add_lease(struct session *session, struct lease *lease);
void session_remove_lease(struct session *session, struct lease *lease);

/* It says how much of a lease it uses. */
void session_note_use(struct session *session, struct lease *lease, uint64_t used_bytes);

/* The session's lease with the smallest number above `id`, or NULL. */
struct lease *session_next_lease(const struct session *session, uint64_t id);

/* Counts a segment that is charged to it, or one that is not any more. */
void session_add_segment(struct session_table *table, struct session *session);
void session_remove_segment(struct session_table *table, struct session *session);

/* Frees a session that is over and holds nothing. */
void session_free(struct session *session);

struct session *session_table_find(const struct session_table *table, uint64_t id);
struct session *session_table_next(const struct session_table *table, uint64_t id);
struct session *session_table_following(const struct session *session); /* the same, faster */
struct session *session_table_next_of_user(const struct session_table *table, uint32_t uid, uint64_t id);

/* A request of the session was refused now. */
void session_note_refusal(struct session_table *table, struct session *session, uint64_t now);

/* Connected -> detached until `until`; and back. */
void session_detach(struct session_table *table, struct session *session, uint64_t until);
void session_attach(struct session_table *table, struct session *session);

/* A detached one stays so until then. */
void session_postpone(struct session_table *table, struct session *session, uint64_t until);

/* The detached session whose grace ends first, or NULL. */
struct session *session_table_first_grace(const struct session_table *table);

/* The session is over: no request of it is served any more, and its leases end for `reason`. */
void session_end(struct session_table *table, struct session *session, enum end_reason reason);

/* An over session's last lease has been ended: it waits for its segments only. */
void session_drained(struct session_table *table, struct session *session);

/* Remembers why a lease ended; and recalls it: END_NONE when it is not remembered. */
void session_bury(struct session *session, uint64_t lease, enum end_reason reason);
enum end_reason session_recall(const struct session *session, uint64_t lease);

/* What a workspace's size is remembered by. */
struct learned_key session_learned_key(const struct session *session, const char *workspace);
