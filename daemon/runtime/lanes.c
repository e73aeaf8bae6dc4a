/* SPDX-License-Identifier: Apache-2.0 */
/* Queues by user, taken in turn. */
#include "daemon/runtime/lanes.h"

#include <assert.h>
#include <stdlib.h>

/* So much is freed in well below a millisecond: no job in a packet waits long for those before it. */
enum { SMALL_BYTES = 4 << 20, QUEUED_MANY = 2048, WAITING_MANY = 32 };

static int compare_keys(const struct lane *a, const struct lane *b)
{
    return (a->key > b->key) - (a->key < b->key);
}

TREE_GENERATE(lane_tree, lane, by_key, compare_keys)

static uint64_t key_of(uint32_t user, bool in_directory)
{
    return (uint64_t)user << 1 | in_directory;
}

void lanes_init(struct lanes *lanes)
{
    *lanes = (struct lanes){0};
    RB_INIT(&lanes->lanes);
    TAILQ_INIT(&lanes->turns);
    TAILQ_INIT(&lanes->shared.queued);
}

void lanes_deinit(struct lanes *lanes)
{
    struct lane *lane;
    while ((lane = RB_MIN(lane_tree, &lanes->lanes))) {
        RB_REMOVE(lane_tree, &lanes->lanes, lane);
        free(lane);
    }
}

static struct lane *find(struct lanes *lanes, uint64_t wanted)
{
    struct lane key = {.key = wanted};
    return RB_FIND(lane_tree, &lanes->lanes, &key);
}

static struct lane *find_or_make(struct lanes *lanes, const struct work *work)
{
    uint64_t key = key_of(work->user, job_needs_directory(&work->job));
    struct lane *lane = find(lanes, key);
    if (!lane && (lane = calloc(1, sizeof *lane))) {
        lane->key = key;
        lane->is_directory = job_needs_directory(&work->job);
        TAILQ_INIT(&lane->queued);
        RB_INSERT(lane_tree, &lanes->lanes, lane);
    }
    return lane ? lane : &lanes->shared;
}

static void give_turn(struct lanes *lanes, struct lane *lane)
{
    if (!lane->has_turn && !TAILQ_EMPTY(&lane->queued)) {
        lane->has_turn = true;
        TAILQ_INSERT_TAIL(&lanes->turns, lane, in_turn);
    }
}

static void take_turn(struct lanes *lanes, struct lane *lane)
{
    if (lane->has_turn) {
        lane->has_turn = false;
        TAILQ_REMOVE(&lanes->turns, lane, in_turn);
    }
}

static void count(struct lanes *lanes, struct lane *lane, const struct work *work)
{
    lane->count++;
    lanes->queued++;
    lanes->can_wait += work->can_wait;
    lanes->can_wait_bytes += work->can_wait ? work->job.bytes : 0;
}

static void uncount(struct lanes *lanes, struct lane *lane, const struct work *work)
{
    lane->count--;
    lanes->queued--;
    lanes->can_wait -= work->can_wait;
    lanes->can_wait_bytes -= work->can_wait ? work->job.bytes : 0;
}

void lanes_add(struct lanes *lanes, struct work *work)
{
    struct lane *lane = find_or_make(lanes, work);
    TAILQ_INSERT_TAIL(&lane->queued, work, in_queue);
    count(lanes, lane, work);
    give_turn(lanes, lane);
}

bool lanes_can_wait(const struct lanes *lanes)
{
    return lanes->queued == lanes->can_wait && lanes->can_wait < WAITING_MANY && lanes->can_wait_bytes < SMALL_BYTES;
}

static unsigned slow_max(const struct lanes *lanes)
{
    enum { MANY = 64, VERY_MANY = 128 };
    return lanes->slow < MANY ? SLOW_WORKERS_OF_ONE_USER : lanes->slow < VERY_MANY ? 2 : 1;
}

/* A user can hold files of its own there: a few users must not have all of the directory's workers. */
static unsigned slow_max_in_directory(const struct lanes *lanes)
{
    enum { FEW = 4 };
    return lanes->slow_in_directory < FEW ? 2 : 1;
}

static bool is_held_up(const struct lanes *lanes, const struct lane *lane)
{
    return lane->slow >= slow_max(lanes) ||
           (lane->is_directory &&
            (lane->slow >= slow_max_in_directory(lanes) || lanes->slow_in_directory >= SLOW_WORKERS_IN_DIRECTORY));
}

struct lane *lanes_next(struct lanes *lanes)
{
    struct lane *lane;
    TAILQ_FOREACH(lane, &lanes->turns, in_turn) {
        if (!is_held_up(lanes, lane)) {
            take_turn(lanes, lane);
            give_turn(lanes, lane); /* behind all others */
            return lane;
        }
    }
    return NULL;
}

static bool is_small(const struct work *work)
{
    return work->job.kind != JOB_MAKE && work->job.kind != JOB_MEASURE && work->job.kind != JOB_TIDY &&
           (work->job.kind == JOB_LOOK || work->job.bytes <= SMALL_BYTES);
}

static void take_one(struct lanes *lanes, struct lane *lane, struct work *work, struct work_queue *ret)
{
    TAILQ_REMOVE(&lane->queued, work, in_queue);
    TAILQ_INSERT_TAIL(ret, work, in_queue);
    uncount(lanes, lane, work);
}

void lane_take(struct lanes *lanes, struct lane *lane, struct work_queue *ret)
{
    struct work *work = TAILQ_FIRST(&lane->queued);
    uint64_t bytes = 0;
    TAILQ_INIT(ret);
    assert(work);
    bool more = is_small(work);
    take_one(lanes, lane, work, ret);
    for (int count = 1; more && count < JOBS_PER_PACKET && (work = TAILQ_FIRST(&lane->queued)); count++) {
        bytes += work->job.kind == JOB_LOOK ? 0 : work->job.bytes;
        more = is_small(work) && bytes <= SMALL_BYTES;
        if (more) {
            take_one(lanes, lane, work, ret);
        }
    }
    if (TAILQ_EMPTY(&lane->queued)) {
        take_turn(lanes, lane);
    }
}

void lane_put_back(struct lanes *lanes, struct lane *lane, struct work_queue *queue)
{
    struct work *work;
    while ((work = TAILQ_LAST(queue, work_queue))) {
        TAILQ_REMOVE(queue, work, in_queue);
        TAILQ_INSERT_HEAD(&lane->queued, work, in_queue);
        work->can_wait = false; /* it has waited */
        count(lanes, lane, work);
    }
    give_turn(lanes, lane);
}

void lane_begin(struct lane *lane)
{
    lane->busy++;
}

void lane_slow(struct lanes *lanes, struct lane *lane)
{
    lane->slow++;
    lanes->slow++;
    lanes->slow_in_directory += lane->is_directory;
}

static void free_if_idle(struct lanes *lanes, struct lane *lane)
{
    if (lane != &lanes->shared && !lane->busy && TAILQ_EMPTY(&lane->queued)) {
        RB_REMOVE(lane_tree, &lanes->lanes, lane);
        free(lane);
    }
}

void lane_end(struct lanes *lanes, struct lane *lane, bool was_slow)
{
    assert(lane->busy > 0);
    lane->busy--;
    if (was_slow) {
        lane->slow--;
        lanes->slow--;
        lanes->slow_in_directory -= lane->is_directory;
    }
    free_if_idle(lanes, lane);
}

bool lanes_is_held_up(struct lanes *lanes, uint32_t user, bool in_directory)
{
    const struct lane *lane = find(lanes, key_of(user, in_directory));
    if (!lane) {
        return in_directory && lanes->slow_in_directory >= SLOW_WORKERS_IN_DIRECTORY;
    }
    return is_held_up(lanes, lane) || lane->count >= QUEUED_MANY;
}
