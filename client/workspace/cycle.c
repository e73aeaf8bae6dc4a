/* SPDX-License-Identifier: Apache-2.0 */
/* Decides where allocations go, and learns sizes. */
#include "client/workspace/cycle.h"

#include "proto/base/size.h"

/* ---- arithmetic ---- */

/* trunc(bytes * share), as the (long) cast of ND4J does. */
static uint64_t share_of(uint64_t bytes, double share)
{
    double product = (double)bytes * share;
    return product >= 18446744073709549568.0 ? UINT64_MAX : (uint64_t)product;
}

static uint64_t align_up(uint64_t offset, uint64_t alignment)
{
    return offset > UINT64_MAX - alignment ? UINT64_MAX : (offset + alignment - 1) & ~(alignment - 1);
}

uint64_t cycle_round(uint64_t bytes)
{
    return bytes > UINT64_MAX - CYCLE_ALIGNMENT ? UINT64_MAX : align_up(bytes, CYCLE_ALIGNMENT);
}

/* ---- sizes ---- */

static uint64_t overallocate(struct cycle *cycle, uint64_t size)
{
    const struct cycle_rules *rules = &cycle->rules;
    if (cycle->overallocated || !rules->overallocate || rules->overallocation_limit <= 0 || size == 0) {
        return size;
    }
    cycle->overallocated = true;
    return size_add_saturated(size, share_of(size, rules->overallocation_limit));
}

static uint64_t bounded(uint64_t size, uint64_t max_size)
{
    return max_size > 0 ? size_min(size, max_size) : size;
}

/* A circular block has 30 % to spare. As in ND4J it is rounded up to the next larger multiple of 8. */
static uint64_t block_of(const struct cycle *cycle, uint64_t size)
{
    if (!cycle->rules.circular) {
        return size;
    }
    size = share_of(size, 1.3);
    return size_add_saturated(size, 8 - size % 8);
}

static uint64_t learned_size(struct cycle *cycle)
{
    const struct cycle_rules *rules = &cycle->rules;
    uint64_t size = block_of(cycle, bounded(cycle->max_bytes, rules->max_size));
    if (rules->circular) {
        cycle->max_bytes = size;
    }
    cycle->block = size;
    size = overallocate(cycle, size);
    return bounded(size_max(size, rules->min_size), rules->max_size);
}

void cycle_init(struct cycle *cycle, const struct cycle_rules *rules)
{
    *cycle = (struct cycle){.rules = *rules, .in_use = true};
    if (rules->initial_size > 0) {
        cycle->size = bounded(overallocate(cycle, rules->initial_size), rules->max_size);
    }
}

/* A remembered size is dropped if it is too small, or more than twice what is needed. */
static bool is_misfit(const struct cycle *cycle)
{
    uint64_t needed = size_max(bounded(cycle->max_bytes, cycle->rules.max_size), cycle->rules.min_size);
    double spare = cycle->rules.overallocate ? 1 + cycle->rules.overallocation_limit : 1;
    return needed > cycle->size || share_of(needed, 2 * spare) < cycle->size;
}

bool cycle_initialize(struct cycle *cycle, uint64_t *ret_size)
{
    bool was_provisional = cycle->provisional;
    if ((cycle->size > 0 && !was_provisional) || cycle->rules.learning == CYCLE_LEARN_NONE || cycle->max_bytes == 0) {
        return false;
    }
    cycle->provisional = false;
    if (was_provisional && !is_misfit(cycle)) {
        cycle->block = bounded(cycle->max_bytes, cycle->rules.max_size);
        return false;
    }
    cycle->overallocated = false;
    *ret_size = learned_size(cycle);
    return true;
}

void cycle_remembered(struct cycle *cycle, uint64_t size)
{
    cycle_resized(cycle, size);
    cycle->overallocated = true; /* the size includes it already */
    cycle->provisional = true;
}

void cycle_resized(struct cycle *cycle, uint64_t size)
{
    cycle->turned_bytes += cycle->size + size + 1; /* so that references into the old arena are outdated */
    cycle->size = size;
    cycle->offset = cycle->start = 0;
    cycle->turned_in_cycle = false;
    if (size == 0) {
        cycle->overallocated = false;
    }
}

/* ---- allocating ---- */

void cycle_advance(struct cycle *cycle, uint64_t offset)
{
    cycle->bytes += offset - cycle->offset;
    cycle->offset = offset;
}

/* This cycle's allocations must end at the arena's end, or where the cycle itself began. */
static uint64_t limit_of(const struct cycle *cycle)
{
    return cycle->turned_in_cycle ? cycle->start : cycle->size;
}

static bool must_be_asked(const struct cycle *cycle)
{
    return !cycle->in_use || cycle->spill_everything || cycle->regrowing;
}

/* Nothing of this cycle lies in the arena yet. */
static bool is_fresh(const struct cycle *cycle)
{
    return cycle->offset <= align_up(cycle->start, CYCLE_ALIGNMENT) && !cycle->turned_in_cycle;
}

/* Divergence: a ring of less than two blocks can't split a block over its end, so the cycle begins at offset 0. */
static bool must_begin_anew(const struct cycle *cycle)
{
    return cycle->rules.circular && cycle->offset > 0 && is_fresh(cycle) &&
           cycle->size < size_add_saturated(cycle->block, cycle->block) &&
           size_add_saturated(cycle->offset, cycle->block) > cycle->size;
}

uint64_t cycle_room(const struct cycle *cycle)
{
    uint64_t limit = limit_of(cycle);
    if (must_be_asked(cycle) || must_begin_anew(cycle) || cycle->offset >= limit ||
        cycle->offset % CYCLE_ALIGNMENT != 0) {
        return 0;
    }
    uint64_t room = limit - cycle->offset;
    if (cycle->rules.circular && cycle->block > 0) {
        room = size_min(room, cycle->block > cycle->bytes ? cycle->block - cycle->bytes : 0);
    }
    return room;
}

static bool exceeds_block(const struct cycle *cycle, uint64_t bytes)
{
    return cycle->rules.circular && cycle->block > 0 && size_add_saturated(bytes, cycle->bytes) > cycle->block;
}

/* Divergence: a turn never overwrites what this cycle itself allocated, and is not taken if it would not help. */
static bool turn(struct cycle *cycle, uint64_t bytes)
{
    bool fresh = is_fresh(cycle);
    uint64_t limit = fresh ? cycle->size : cycle->start;
    if (!cycle->rules.circular || cycle->turned_in_cycle || cycle->offset == 0 || bytes > limit) {
        return false;
    }
    cycle->turned_bytes += cycle->size;
    cycle->offset = 0;
    cycle->start = fresh ? 0 : cycle->start;
    cycle->turned_in_cycle = !fresh;
    cycle->spills_outlive = false;
    return true;
}

static bool place_inside(struct cycle *cycle, uint64_t bytes, uint64_t alignment, uint64_t *ret_offset)
{
    if (must_begin_anew(cycle)) {
        (void)turn(cycle, bytes);
    }
    uint64_t at = align_up(cycle->offset, alignment);
    if (at > limit_of(cycle) || bytes > limit_of(cycle) - at) {
        if (!turn(cycle, bytes)) {
            return false;
        }
        at = 0;
    }
    *ret_offset = at;
    cycle->bytes += at + bytes - cycle->offset;
    cycle->offset = at + bytes;
    return true;
}

/* An allocation outside the arena counts as much as it needs to fit, aligned, the next time. */
static uint64_t weight_of(uint64_t bytes, uint64_t alignment)
{
    return size_add_saturated(bytes, alignment - CYCLE_ALIGNMENT);
}

enum cycle_place cycle_place(struct cycle *cycle, uint64_t bytes, uint64_t alignment, uint64_t *ret_offset)
{
    uint64_t weight = weight_of(bytes, alignment);
    if (!cycle->in_use) {
        return CYCLE_UNCOUNTED; /* divergence: tracked as a spill, so that it is freed with them */
    }
    bool pin = cycle->regrowing || exceeds_block(cycle, weight);
    if (!pin && !cycle->spill_everything && place_inside(cycle, bytes, alignment, ret_offset)) {
        return CYCLE_INSIDE;
    }
    if (cycle->rules.spill == CYCLE_SPILL_FAIL) {
        return CYCLE_REFUSED;
    }
    if (pin && cycle->rules.spill == CYCLE_SPILL_REALLOCATE && !cycle->regrowing) {
        cycle->regrowing = true;
        cycle->regrowing_since = cycle->steps;
    }
    cycle->bytes = size_add_saturated(cycle->bytes, weight);
    return pin ? CYCLE_PINNED : CYCLE_SPILLED;
}

void cycle_unplace(struct cycle *cycle, enum cycle_place place, uint64_t bytes, uint64_t alignment)
{
    if (place == CYCLE_SPILLED || place == CYCLE_PINNED) {
        cycle->bytes -= size_min(weight_of(bytes, alignment), cycle->bytes);
    }
}

/* ---- a cycle's begin and end ---- */

static bool may_free_spills(const struct cycle *cycle)
{
    return !cycle->rules.circular || !cycle->spills_outlive;
}

/* Bytes skipped for alignment are not counted, so that a block ends where it would without. At most the arena's end. */
static uint64_t first_offset(const struct cycle *cycle)
{
    uint64_t aligned = align_up(cycle->offset, CYCLE_ALIGNMENT);
    return aligned <= cycle->size ? aligned : cycle->offset;
}

void cycle_bypass(struct cycle *cycle)
{
    cycle->generation++;
}

bool cycle_enter(struct cycle *cycle)
{
    bool free_spills = may_free_spills(cycle);
    cycle->generation++;
    if (!cycle->rules.circular) {
        cycle->offset = 0;
    }
    cycle->start = cycle->offset;
    cycle->offset = first_offset(cycle);
    cycle->turned_in_cycle = false;
    cycle->bytes = 0;
    cycle->spills_outlive = true;
    return free_spills;
}

static void count(struct cycle *cycle)
{
    cycle->cycles++;
    if (cycle->cycles > 1 && (cycle->cycles - 1) % cycle->rules.steps_number == 0) {
        cycle->steps++;
    }
    cycle->max_bytes = size_max(cycle->max_bytes, cycle->bytes);
}

static bool is_time_to_initialize(const struct cycle *cycle)
{
    const struct cycle_rules *rules = &cycle->rules;
    if (rules->learning == CYCLE_LEARN_OVER_TIME) {
        /* divergence: ND4J compares with ==, and misses the cycle if nothing was allocated by then */
        return rules->cycles_before_initialization > 0 && cycle->cycles >= rules->cycles_before_initialization;
    }
    return rules->learning == CYCLE_LEARN_FIRST_LOOP;
}

/* REALLOCATE, not circular: grows to the largest cycle. Divergence: beyond max_size, ND4J keeps the old size. */
static bool wants_to_grow(struct cycle *cycle, uint64_t *ret_size)
{
    const struct cycle_rules *rules = &cycle->rules;
    uint64_t wanted = bounded(cycle->max_bytes, rules->max_size);
    if (rules->learning == CYCLE_LEARN_NONE || rules->spill != CYCLE_SPILL_REALLOCATE || rules->circular ||
        cycle->size == 0 || cycle->bytes == 0 || wanted <= cycle->size) {
        return false;
    }
    *ret_size = learned_size(cycle);
    return true;
}

static bool has_regrown(struct cycle *cycle, uint64_t *ret_size)
{
    if (!cycle->regrowing || cycle->regrowing_since + 2 >= cycle->steps) {
        return false;
    }
    cycle->regrowing = false;
    cycle->regrowing_since = 0;
    cycle->overallocated = false; /* a circular arena always has that many blocks */
    *ret_size = learned_size(cycle);
    return true;
}

static bool wants_new_size(struct cycle *cycle, uint64_t *ret_size)
{
    if (cycle->spill_everything) {
        return false;
    }
    if (is_time_to_initialize(cycle) && cycle_initialize(cycle, ret_size)) {
        return true;
    }
    return wants_to_grow(cycle, ret_size) || has_regrown(cycle, ret_size);
}

/* Each cycle consumes one block, however much it used. */
static void align_to_block(struct cycle *cycle)
{
    if (cycle->size == 0 || cycle->block <= cycle->bytes || cycle->regrowing || cycle->offset == 0) {
        return;
    }
    cycle->offset = cycle->turned_in_cycle ? size_add_saturated(cycle->offset, cycle->block - cycle->bytes)
                                           : size_add_saturated(cycle->start, cycle->block);
}

struct cycle_orders cycle_leave(struct cycle *cycle)
{
    struct cycle_orders orders = {.free_spills = may_free_spills(cycle)};
    count(cycle);
    cycle->in_use = true;
    orders.free_before = cycle->steps > 2 ? cycle->steps - 2 : 0;
    orders.resize = wants_new_size(cycle, &orders.new_size);
    if (cycle->rules.circular) {
        align_to_block(cycle);
        cycle->offset = size_min(cycle->offset, cycle->size);
    } else {
        cycle->offset = 0;
    }
    cycle->start = cycle->offset;
    cycle->last_bytes = cycle->bytes;
    cycle->bytes = 0;
    return orders;
}

/* ---- references ---- */

uint64_t cycle_position(const struct cycle *cycle)
{
    return cycle->turned_bytes + cycle->offset;
}
