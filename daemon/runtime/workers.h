/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker processes as the loop sees them. Work is queued in its user's lane (lanes.h) and given to idle workers just
 * before the loop polls; small segments that are to be freed wait a moment for others, so that one packet takes many. A
 * worker that is slow no longer counts: another is forked in its place, up to a bound. One
 * that dies is replaced; what it was freeing is freed by another, and what it was making has failed.
 */
#pragma once

#include <uv.h>

#include "daemon/runtime/lanes.h"
#include "daemon/worker/perform.h"

struct server;
struct worker;
LIST_HEAD(worker_list, worker);

struct workers {
    struct workshop workshop;
    int nursery;              /* channel; -EBADF: it has ended */
    uv_poll_t *nursery_watch; /* NULL: it has ended */
    struct lanes lanes;
    struct worker_list idle, busy;
    unsigned count, slow;                  /* workers in all; busy for longer than most jobs take */
    size_t under_way;                      /* work given to workers */
    uint64_t forked_at;                    /* monotonic: when one was last forked in place of one that died */
    uv_timer_t beat;                       /* runs while there is work */
    uv_timer_t moment;                     /* runs while all that is queued can wait */
    bool has_waited;                       /* what is queued has waited for that long */
    void (*settle)(struct server *server); /* after each piece of work */
};

/* Work that takes much longer than its bytes explain, the oldest. */
struct stuck_work {
    uint32_t count;   /* of jobs; 0: none is */
    uint32_t user;    /* of the oldest */
    uint64_t segment; /* which it is about; 0: none */
    uint64_t bytes;
    uint64_t for_ns;
};

/*
 * Forks the nursery, which is to inherit nothing: call it before anything is opened. Takes the workshop's directory.
 * workers_start() follows once the loop is there. 0 or negative errno.
 */
int workers_fork(struct workers *workers, const struct workshop *workshop);
int workers_start(struct server *server);

/* Gives queued work to idle workers: once in each turn of the loop, before it is decided whether the loop may sleep. */
void workers_give(struct server *server);

/* Queues work, which stays where it is until it is done. Never fails, and never calls back before it returns. */
void workers_do(struct server *server, struct work *work);

/* Whether nothing is queued or under way; or nothing but what is stuck. */
bool workers_are_idle(const struct workers *workers);

/* Whether the user's next work, in the directory of named files or not, would wait for slow work, or behind very much.
 */
bool workers_are_held_up(struct workers *workers, uint32_t user, bool in_directory);

struct stuck_work workers_stuck(const struct workers *workers);

/* Ends all workers. What was not done is reported with -ECANCELED. */
void workers_stop(struct server *server);
