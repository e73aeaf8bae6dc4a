/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes: work that waits for a worker process, in a queue for each user; users take turns. A user whose workers are
 * slow, or stuck forever, delays only itself: the number of slow workers of one user is bounded, and the bound shrinks
 * as more workers are slow.
 *
 * Work in the directory of named files has lanes of its own: a process that holds the directory's lock delays all named
 * files, and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/worker/job.h"
#include "proto/base/tree.h"

struct server;
struct work;

/* `fd`: made by the job, and the callee's; -EBADF: none. The work is the callee's again. */
typedef void work_done(struct server *server, struct work *work, const struct job_result *result, int fd);

struct work {
    struct job job;
    int fd;        /* goes along, and is borrowed until the work is done; -EBADF: none */
    uint32_t user; /* whose lane */
    bool is_again; /* a worker died of it, or at it, and it is tried once more */
    bool can_wait; /* a moment, for others that go in the same packet */
    work_done *done;
    TAILQ_ENTRY(work) in_queue;
};

TAILQ_HEAD(work_queue, work);

struct lane {
    uint64_t key;      /* the user, and whether it is for the directory */
    bool is_directory; /* jobs that need the lock of the directory of named files, which any user may hold */
    struct work_queue queued;
    size_t count;  /* of those */
    unsigned busy; /* workers */
    unsigned slow; /* of those */
    bool has_turn; /* stands in the list of turns */
    RB_ENTRY(lane) by_key;
    TAILQ_ENTRY(lane) in_turn;
};

RB_HEAD(lane_tree, lane);
TAILQ_HEAD(lane_turns, lane);

struct lanes {
    struct lane_tree lanes;
    struct lane_turns turns; /* lanes with queued work, the next one first */
    struct lane shared;      /* of those for whom there was no memory to make one */
    size_t queued, can_wait; /* in all lanes; and how much of that */
    uint64_t can_wait_bytes;
    unsigned slow, slow_in_directory;
};

enum { SLOW_WORKERS_OF_ONE_USER = 4, SLOW_WORKERS_IN_DIRECTORY = 32 /* of all users */ };

void lanes_init(struct lanes *lanes);
void lanes_deinit(struct lanes *lanes);

/* Queues work behind its user's other work. Never fails. */
void lanes_add(struct lanes *lanes, struct work *work);

/* Whether all that is queued can wait, and is not much: fewer packets then carry more. */
bool lanes_can_wait(const struct lanes *lanes);

/* The lane whose turn it is among those that may have a worker (more), NULL: none may. The next call gives the next. */
struct lane *lanes_next(struct lanes *lanes);

/* Takes the work for one packet to a worker: a few small jobs, or a single large one. */
void lane_take(struct lanes *lanes, struct lane *lane, struct work_queue *ret);

/* Puts it back in front: it could not be sent, or its worker died. */
void lane_put_back(struct lanes *lanes, struct lane *lane, struct work_queue *queue);

/* A worker begins for the lane; turns out to be slow; is done. An idle lane is freed then: don't use it again. */
void lane_begin(struct lane *lane);
void lane_slow(struct lanes *lanes, struct lane *lane);
void lane_end(struct lanes *lanes, struct lane *lane, bool was_slow);

/* Whether the user's next work, in the directory of named files or not, would wait for slow work, or behind very much.
 */
bool lanes_is_held_up(struct lanes *lanes, uint32_t user, bool in_directory);
