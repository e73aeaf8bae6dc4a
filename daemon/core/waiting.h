/* SPDX-License-Identifier: Apache-2.0 */
/* A request that waits for memory, in the list of its share and in that of its session. */
#pragma once

#include <sys/queue.h>

#include "daemon/core/demand.h"

struct lease;
TAILQ_HEAD(victim_list, lease);

struct waiting {
    struct session *session;
    struct share *share;
    struct demand demand;
    uint64_t number;                  /* grows with each one that comes */
    uint64_t since;                   /* service clock */
    uint64_t until;                   /* it is willing to wait so long; 0: only for what comes free anyway */
    uint64_t trim_until;              /* clients were asked to trim for it; 0: none was, or that is over */
    bool may_not_stay;                /* there is no room for it to wait: it is served now, or told so */
    uint64_t promised_until;          /* until then nothing goes before it: blocks were evicted for it; 0: none was */
    bool has_asked;                   /* clients to trim */
    uint64_t asked_at;                /* the last time */
    bool has_claimed;                 /* in the present walk */
    const struct account *last_lease; /* up to whose principal it claimed a lease at the last look; NULL: it did not */
    const struct account *claims_up_to[LOCATIONS]; /* at the last look; NULL: it claimed nothing there */
    struct refusal blocked;                        /* by what, at the last look */
    struct victim_list victims;                    /* leases that will be taken for it */
    TAILQ_ENTRY(waiting) in_share;
    TAILQ_ENTRY(waiting) in_session;
    TAILQ_ENTRY(waiting) in_promised;
};

TAILQ_HEAD(waiting_list, waiting);
TAILQ_HEAD(session_waiting_list, waiting);
TAILQ_HEAD(promised_list, waiting);

struct broker;
struct step;

/* A request that waits from now on, at the end of its share; NULL: out of memory. */
struct waiting *waiting_new(struct broker *broker, struct session *session, const struct demand *demand, uint64_t now);

/* Other settings are in force: resolves its demand again. False after an answer: it is not valid any more. */
bool waiting_check_again(struct step *step, struct waiting *waiting);

/*
 * What is being freed by then is for it. Without this, an eviction could be in vain: whose block it was holds less now,
 * and their own requests may go before the one that the block was evicted for.
 */
void waiting_promise(struct broker *broker, struct waiting *waiting, uint64_t until);

/* It waits no longer, and the leases that were marked for it are spared. */
void waiting_free(struct broker *broker, struct waiting *waiting);

/* Nothing of the session waits any longer. */
void waiting_drop_session(struct broker *broker, struct session *session);

/* The session has another share: its requests go there, each to the place that its age gives it. */
void waiting_follow_session(struct session *session);
