/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the warm pool, lends from it and empties it. One segment is made at a time, and only while no request waits
 * and the machine has memory to spare. While clients take segments, their work goes first: more are made when half of a
 * size is gone, or when nobody has taken one for a moment. A segment that is being made can't be taken back. A request
 * that needs its bytes waits until it is made, as for bytes that are being freed; then it gets the segment, if that
 * fits, or its bytes.
 */
#include "daemon/core/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"
#include "daemon/core/host_room.h"
#include "daemon/core/reserve.h"
#include "proto/base/size.h"

/* A size that was not asked for in this time is not kept ready, unless the settings name it. */
#define FORGET_SIZE (60 * NANOSECONDS_PER_SECOND)
#define PAUSE       (5 * NANOSECONDS_PER_SECOND)
#define MOMENT      (10 * NANOSECONDS_PER_MILLISECOND)

enum { WANTED_MAX = 64, DROPS_PER_STEP = 32 };

void pool_init(struct broker *broker)
{
    static const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    struct account *const above[ACCOUNT_ABOVE_MAX] = {[ACCOUNT_ABOVE_MAX - 1] = &broker->host};
    account_init(&broker->pool.account, "pool", &none);
    account_move(&broker->pool.account, above);
    TAILQ_INIT(&broker->pool.ready);
    pool_configure(broker);
}

void pool_configure(struct broker *broker)
{
    const struct pool_settings *settings = &broker->options.settings.pool;
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        broker->pool.sizes[i].is_named = false;
    }
    for (size_t i = 0; i < settings->sizes.count; i++) {
        uint64_t bytes;
        struct pool_size *size = NULL;
        if (size_round_up(settings->sizes.bytes[i], broker->options.page_bytes, &bytes) && bytes) {
            size = pool_size_get(&broker->pool, bytes);
        }
        if (size) {
            size->is_named = true;
            size->wanted = size->wanted ? size->wanted : 1;
        }
    }
    broker->pool.paused_until = 0;
}

/* ---- lending ---- */

static void leave(struct pool *pool, struct segment *segment)
{
    struct pool_size *size = pool_size_find(pool, segment->charge.bytes);
    TAILQ_REMOVE(&pool->ready, segment, in_pool);
    assert(size && size->ready > 0);
    size->ready--;
}

static struct segment *find_ready(const struct pool *pool, uint64_t bytes)
{
    struct segment *segment;
    TAILQ_FOREACH(segment, &pool->ready, in_pool) {
        if (segment->charge.bytes == bytes) {
            return segment;
        }
    }
    return NULL;
}

static void note_miss(struct broker *broker, struct pool_size *size)
{
    broker->pool.misses++;
    if (size && size->wanted < WANTED_MAX) {
        size->wanted++;
    }
}

/* Moves the charge from the pool's account to another; false: it does not fit there, and nothing has changed. */
static bool move_charge(struct broker *broker, struct segment *segment, struct account *account)
{
    struct ledger_excess excess;
    uint64_t bytes = segment->charge.bytes;
    charge_release(&segment->charge);
    if (ledger_reserve(account, LOCATION_POOLED, bytes, &segment->charge, &excess) == 0) {
        return true;
    }
    ledger_restore(&broker->pool.account, LOCATION_POOLED, bytes, &segment->charge);
    return false;
}

struct segment *pool_take(struct step *step, uint64_t bytes, struct account *account)
{
    struct broker *broker = step->broker;
    if (broker->options.settings.pool.bytes < bytes || host_room_is_paused(broker)) {
        return NULL;
    }
    struct pool_size *size = pool_size_get(&broker->pool, bytes);
    struct segment *segment = find_ready(&broker->pool, bytes);
    if (size) {
        size->asked_at = step->now;
    }
    if (!segment) {
        note_miss(broker, size);
        return NULL;
    }
    if (!move_charge(broker, segment, account)) {
        return NULL;
    }
    leave(&broker->pool, segment);
    broker->pool.hits++;
    broker->pool.busy_until = step->now + MOMENT;
    return segment;
}

void pool_return(struct step *step, struct segment *segment)
{
    struct pool *pool = &step->broker->pool;
    uint64_t bytes = segment->charge.bytes;
    struct pool_size *size = pool_size_find(pool, bytes);
    charge_release(&segment->charge);
    ledger_restore(&pool->account, LOCATION_POOLED, bytes, &segment->charge);
    assert(size);
    size->ready++;
    TAILQ_INSERT_HEAD(&pool->ready, segment, in_pool);
}

/* ---- filling ---- */

/* Whether all of it is to go, in as many steps as that takes: its segments must not be lent any more. */
static bool is_given_up(const struct broker *broker)
{
    return broker->shutting_down || broker->pressure != PRESSURE_NONE;
}

static bool may_fill(const struct step *step)
{
    const struct broker *broker = step->broker;
    return !is_given_up(broker) && !broker->pool.making && !broker->waiting_count &&
           step->now >= broker->pool.paused_until;
}

/* Whether enough are left for a burst that goes on. */
static bool can_wait(const struct pool *pool, const struct pool_size *size)
{
    return pool->busy_until && size->ready > size->wanted / 2;
}

/* The size that lacks the most, by its part of what is wanted; one that fits. */
static struct pool_size *size_to_make(struct broker *broker)
{
    uint64_t room = size_subtract_floored(broker->options.settings.pool.bytes,
                                          account_used(&broker->pool.account, LEDGER_MAX_BYTES));
    struct pool_size *best = NULL;
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        struct pool_size *size = &broker->pool.sizes[i];
        bool lacks = size->bytes && size->bytes <= room && size->ready < size->wanted && !can_wait(&broker->pool, size);
        bool lacks_more = !best || size->ready * best->wanted < best->ready * size->wanted;
        best = lacks && lacks_more ? size : best;
    }
    return best;
}

static void make(struct step *step, struct pool_size *size)
{
    struct broker *broker = step->broker;
    struct denial denial;
    struct charge charge;
    struct segment *segment = calloc(1, sizeof *segment);
    if (!segment || !reserve_bytes(broker, &broker->pool.account, size->bytes, LOCATION_POOLED, &charge, &denial)) {
        free(segment);
        broker->pool.paused_until = step->now + PAUSE;
        return;
    }
    segment->charge = charge;
    segment->least_bytes = charge.bytes;
    segment->options = (struct segment_options){.numa_node = -1, .prefault = true};
    (void)segment_begin_making(step, segment);
}

/* Ready segments of sizes that went out of use. */
static void forget_sizes(struct step *step)
{
    struct pool *pool = &step->broker->pool;
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        struct pool_size *size = &pool->sizes[i];
        if (size->bytes && step->now - size->asked_at >= FORGET_SIZE) {
            size->wanted = size->is_named ? 1 : 0;
        }
    }
}

static bool is_superfluous(struct broker *broker, const struct segment *segment)
{
    const struct pool_size *size = pool_size_find(&broker->pool, segment->charge.bytes);
    assert(size); /* a size that has something ready keeps its place */
    return size->ready > size->wanted ||
           account_used(&broker->pool.account, LEDGER_MAX_BYTES) > broker->options.settings.pool.bytes;
}

static void free_ready(struct step *step, struct segment *segment)
{
    leave(&step->broker->pool, segment);
    segment_begin_freeing(step, segment);
}

static void drop_superfluous(struct step *step)
{
    struct segment *segment, *next;
    for (segment = TAILQ_FIRST(&step->broker->pool.ready); segment; segment = next) {
        next = TAILQ_NEXT(segment, in_pool);
        if (is_superfluous(step->broker, segment) && effect_room(step->effects) > EFFECTS_FOR_ONE_LEASE) {
            free_ready(step, segment);
        }
    }
}

/* Switched off, and emptied: there is no work then, and so no time for it. */
static bool is_off(const struct broker *broker)
{
    return !broker->options.settings.pool.bytes && TAILQ_EMPTY(&broker->pool.ready);
}

void pool_work(struct step *step)
{
    struct broker *broker = step->broker;
    struct pool_size *size;
    if (is_off(broker)) {
        return;
    }
    if (step->now >= broker->pool.paused_until) {
        broker->pool.paused_until = 0;
    }
    if (step->now >= broker->pool.busy_until) {
        broker->pool.busy_until = 0;
    }
    forget_sizes(step);
    drop_superfluous(step);
    if (is_given_up(broker)) {
        pool_drop(step, UINT64_MAX);
    }
    if (may_fill(step) && effect_room(step->effects) > EFFECTS_FOR_ONE_LEASE && (size = size_to_make(broker))) {
        make(step, size);
    }
}

uint64_t pool_next_wakeup(const struct broker *broker)
{
    const struct pool *pool = &broker->pool;
    uint64_t due = UINT64_MAX;
    if (is_given_up(broker) && !TAILQ_EMPTY(&pool->ready)) {
        return 0;
    }
    if (is_off(broker)) {
        return UINT64_MAX;
    }
    if (pool->paused_until) {
        due = pool->paused_until;
    }
    if (pool->busy_until) {
        due = size_min(due, pool->busy_until);
    }
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        const struct pool_size *size = &pool->sizes[i];
        if (size->bytes && size->wanted > (size->is_named ? 1U : 0U)) {
            due = size_min(due, size->asked_at + FORGET_SIZE);
        }
    }
    return due;
}

void pool_made(struct step *step, struct segment *segment, const struct input_segment *made)
{
    struct pool *pool = &step->broker->pool;
    struct pool_size *size = pool_size_find(pool, segment->charge.bytes);
    assert(size);
    size->ready++;
    segment->handle = made->handle;
    segment->state = SEGMENT_POOLED;
    TAILQ_INSERT_TAIL(&pool->ready, segment, in_pool);
    if (step->broker->waiting_count) {
        step->broker->retry_waiting = true; /* a request that began to wait meanwhile may take it, or its bytes */
    }
}

void pool_failed(struct step *step, struct segment *segment)
{
    struct pool *pool = &step->broker->pool;
    pool->paused_until = step->now + PAUSE;
    host_room_uncount(step->broker, segment);
    charge_release(&segment->charge);
    segment_tree_remove(step->broker, segment);
    step->broker->retry_waiting = true;
    free(segment);
}

uint64_t pool_drop(struct step *step, uint64_t bytes)
{
    struct pool *pool = &step->broker->pool;
    struct segment *segment, *next;
    uint64_t dropped = 0;
    int count = 0;
    for (segment = TAILQ_FIRST(&pool->ready); segment; segment = next) {
        next = TAILQ_NEXT(segment, in_pool);
        bool has_room = count < DROPS_PER_STEP && effect_room(step->effects) > EFFECTS_FOR_ONE_LEASE;
        if (dropped < bytes && has_room) {
            dropped += segment->charge.bytes;
            free_ready(step, segment);
            count++;
        }
    }
    if (dropped) {
        pool->paused_until = step->now + PAUSE;
    }
    return dropped;
}

uint64_t pool_bytes(const struct pool *pool)
{
    return account_held(&pool->account);
}

uint64_t pool_ready_bytes(const struct pool *pool)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        bytes += pool->sizes[i].bytes * pool->sizes[i].ready;
    }
    return bytes;
}
