/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of ND4J's workspaces. */
#include "tests/workspace-model/nd4j.h"

#include <string.h>

enum { ALIGNMENT = 16 };

static uint64_t up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

static bool is_learning(const struct nd4j *ws)
{
    return ws->config.learning_policy != MB_LEARNING_NONE &&
           !(ws->config.learning_policy == MB_LEARNING_DEFAULT && ws->config.location == MB_LOCATION_MMAP);
}

/* ---- records ---- */

static void end_place(struct nd4j *ws, enum place place)
{
    for (size_t i = 0; i < ws->count; i++) {
        ws->records[i].is_dead = ws->records[i].is_dead || ws->records[i].place == place;
    }
}

static void purge_spills(struct nd4j *ws)
{
    end_place(ws, SPILLED);
    end_place(ws, TOGGLED); /* divergence: ND4J frees these when something else has spilled */
}

/* Divergence: a ring's spills of that age as well, where ND4J keeps them until it wraps. */
static void purge_pinned(struct nd4j *ws)
{
    for (size_t i = 0; i < ws->count; i++) {
        struct record *record = &ws->records[i];
        bool is_outside = record->place == PINNED || record->place == SPILLED || record->place == TOGGLED;
        record->is_dead = record->is_dead || (is_outside && record->step + 2 < ws->steps);
    }
}

/* What begins where the offset passes is gone: overwritten, or skipped. */
static void move_offset(struct nd4j *ws, uint64_t to)
{
    for (size_t i = 0; i < ws->count; i++) {
        struct record *record = &ws->records[i];
        bool is_passed = record->offset >= ws->offset && record->offset < to;
        record->is_dead = record->is_dead || (record->place == INSIDE && is_passed);
    }
    ws->offset = to;
}

static struct record *add_record(struct nd4j *ws, enum place place, uint64_t offset, uint64_t bytes)
{
    struct record *record = &ws->records[ws->count++];
    *record = (struct record){
        .place = place, .offset = offset, .bytes = bytes, .generation = ws->generation, .step = ws->steps};
    return record;
}

bool nd4j_make_room(struct nd4j *ws, size_t free)
{
    size_t kept = 0, excess = ws->count + free > RECORDS_MAX ? ws->count + free - RECORDS_MAX : 0;
    for (size_t i = 0; i < ws->count; i++) {
        if (ws->records[i].is_dead && excess > 0) {
            excess--;
        } else {
            ws->records[kept++] = ws->records[i];
        }
    }
    ws->count = kept;
    return excess == 0;
}

void nd4j_outside(const struct nd4j *ws, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count)
{
    *ret_bytes = *ret_count = 0;
    for (size_t i = 0; i < ws->count; i++) {
        const struct record *record = &ws->records[i];
        bool is_of_it = pinned ? record->place == PINNED : record->place == SPILLED || record->place == TOGGLED;
        if (is_of_it && !record->is_dead) {
            *ret_bytes += record->bytes;
            *ret_count += 1;
        }
    }
}

mb_ref_validity nd4j_verdict(const struct nd4j *ws, const struct record *record)
{
    return !record->is_dead ? MB_REF_VALID : record->generation == ws->generation ? MB_REF_LEAKED : MB_REF_OUTDATED;
}

/* ---- the arena ---- */

static uint64_t cut(const struct nd4j *ws, uint64_t size)
{
    return ws->config.max_size > 0 && size > ws->config.max_size ? ws->config.max_size : size;
}

static void overallocate(struct nd4j *ws)
{
    if (!ws->is_over && ws->overallocates && ws->config.overallocation_limit > 0 && ws->current_size > 0) {
        ws->current_size += (uint64_t)((double)ws->current_size * ws->config.overallocation_limit);
        ws->is_over = true;
    }
}

static void make_arena(struct nd4j *ws)
{
    end_place(ws, INSIDE);
    ws->offset = ws->began_at = 0;
    ws->has_wrapped = false;
    ws->is_empty = true;
    ws->arenas++;
}

static void destroy_arena(struct nd4j *ws)
{
    ws->current_size = 0;
}

/* ND4J's initializeWorkspace(), from its fourth step on. */
static void size_arena(struct nd4j *ws)
{
    ws->current_size = cut(ws, ws->max_cycle);
    if (ws->is_circular) {
        ws->current_size = (uint64_t)((double)ws->current_size * 1.3);
        ws->current_size += 8 - ws->current_size % 8;
        ws->max_cycle = ws->current_size;
    }
    ws->initial_block_size = ws->current_size;
    overallocate(ws);
    if (ws->config.min_size > ws->current_size) {
        ws->current_size = ws->config.min_size;
    }
    ws->current_size = cut(ws, ws->current_size);
    make_arena(ws);
}

void nd4j_initialize(struct nd4j *ws)
{
    if (ws->current_size == 0 && is_learning(ws) && ws->max_cycle > 0 && !(ws->is_open && ws->bypasses)) {
        size_arena(ws);
    }
}

void nd4j_open(struct nd4j *ws, const mb_workspace_config *config)
{
    memset(ws, 0, sizeof *ws);
    ws->config = *config;
    ws->is_circular = config->reset_policy == MB_RESET_ENDOFBUFFER_REACHED;
    ws->overallocates = config->allocation_policy == MB_ALLOCATION_OVERALLOCATE && config->location != MB_LOCATION_MMAP;
    /* divergence: without overallocation the configured number counts */
    ws->steps_number = !ws->is_circular    ? 1
                       : ws->overallocates ? (uint32_t)(config->overallocation_limit + 1)
                                           : config->steps_number;
    ws->is_used = true;
    ws->current_size = config->initial_size;
    overallocate(ws);
    ws->current_size = cut(ws, ws->current_size);
}

/* ---- allocating ---- */

/* Divergence: what is aligned to more than 16 counts outside for so much that it fits the next time. */
static uint64_t weight(uint64_t bytes, uint64_t alignment)
{
    return bytes + alignment - ALIGNMENT;
}

static void wrap(struct nd4j *ws)
{
    move_offset(ws, ws->current_size);
    ws->offset = 0;
    ws->reset_planned = true;
    ws->has_wrapped = !ws->is_empty;
    ws->began_at = ws->is_empty ? 0 : ws->began_at;
    ws->turns++;
}

/* Divergence: never over the cycle's own memory, nor for what is larger than the ring. */
static bool may_wrap(const struct nd4j *ws, uint64_t bytes)
{
    return ws->is_circular && ws->offset > 0 && !ws->has_wrapped &&
           bytes <= (ws->is_empty ? ws->current_size : ws->began_at);
}

/* Divergence: a ring of less than two blocks would split a block over its end, and not have it all. */
static bool must_wrap_first(const struct nd4j *ws)
{
    return ws->is_empty && ws->initial_block_size > 0 && ws->current_size < 2 * ws->initial_block_size &&
           ws->offset + ws->initial_block_size > ws->current_size;
}

static bool fits(const struct nd4j *ws, uint64_t at, uint64_t bytes)
{
    return at + bytes <= (ws->has_wrapped ? ws->began_at : ws->current_size);
}

static struct record *alloc_inside(struct nd4j *ws, uint64_t bytes, uint64_t alignment)
{
    if (must_wrap_first(ws) && may_wrap(ws, bytes)) {
        wrap(ws);
    }
    uint64_t at = up(ws->offset, alignment);
    if (!fits(ws, at, bytes)) {
        if (!may_wrap(ws, bytes)) {
            return NULL;
        }
        wrap(ws);
        at = 0;
    }
    ws->cycle_allocations += at - ws->offset + bytes;
    move_offset(ws, at + bytes);
    ws->is_empty = false;
    return add_record(ws, INSIDE, at, bytes);
}

static struct record *alloc_outside(struct nd4j *ws, uint64_t bytes, uint64_t alignment, bool trimmer)
{
    if (ws->config.spill_policy == MB_SPILL_FAIL) {
        return NULL;
    }
    ws->cycle_allocations += weight(bytes, alignment);
    *(trimmer ? &ws->total_pinned_bytes : &ws->total_spilled_bytes) += bytes;
    *(trimmer ? &ws->total_pinned_count : &ws->total_spilled_count) += 1;
    return add_record(ws, trimmer ? PINNED : SPILLED, 0, bytes);
}

static struct record *alloc_toggled(struct nd4j *ws, uint64_t bytes)
{
    ws->total_spilled_bytes += bytes;
    ws->total_spilled_count++;
    return add_record(ws, TOGGLED, 0, bytes);
}

struct record *nd4j_alloc(struct nd4j *ws, uint64_t bytes, uint64_t alignment)
{
    bytes = up(bytes, ALIGNMENT);
    if (ws->bypasses) {
        return add_record(ws, BYPASSED, 0, bytes);
    }
    if (!ws->is_used) {
        return alloc_toggled(ws, bytes);
    }
    bool exceeds = ws->is_circular && ws->initial_block_size > 0 &&
                   weight(bytes, alignment) + ws->cycle_allocations > ws->initial_block_size;
    bool trimmer = exceeds || ws->trimmed_mode;
    if (trimmer && ws->config.spill_policy == MB_SPILL_REALLOCATE && !ws->trimmed_mode) {
        ws->trimmed_mode = true;
        ws->trimmed_step = ws->steps;
    }
    struct record *record = trimmer || ws->spills_everything ? NULL : alloc_inside(ws, bytes, alignment);
    return record ? record : alloc_outside(ws, bytes, alignment, trimmer);
}

/* ---- a cycle's begin and end ---- */

void nd4j_enter(struct nd4j *ws, mb_debug_mode mode)
{
    ws->bypasses = mode == MB_DEBUG_BYPASS_EVERYTHING;
    ws->spills_everything = mode == MB_DEBUG_SPILL_EVERYTHING;
    ws->is_open = true;
    ws->generation++;
    if (ws->bypasses) {
        return;
    }
    if (!ws->is_circular || ws->reset_planned) {
        purge_spills(ws);
    }
    ws->reset_planned = false; /* divergence: ND4J keeps it until there are spills */
    ws->offset = ws->is_circular ? ws->offset : 0;
    ws->began_at = ws->offset;
    ws->has_wrapped = false;
    ws->is_empty = true;
    if (up(ws->offset, ALIGNMENT) <= ws->current_size) {
        move_offset(ws, up(ws->offset, ALIGNMENT)); /* divergence: uncounted */
    }
    ws->cycle_allocations = 0;
}

static bool is_time(const struct nd4j *ws)
{
    if (ws->config.learning_policy == MB_LEARNING_OVER_TIME) { /* divergence: also later than at that cycle */
        return ws->config.cycles_before_initialization > 0 && ws->cycles >= ws->config.cycles_before_initialization;
    }
    return true;
}

/* Divergence: up to max_size. */
static bool must_grow(const struct nd4j *ws)
{
    return ws->config.spill_policy == MB_SPILL_REALLOCATE && !ws->is_circular && ws->cycle_allocations > 0 &&
           ws->current_size > 0 && ws->current_size < cut(ws, ws->max_cycle);
}

static void resize(struct nd4j *ws)
{
    if (is_learning(ws) && ws->max_cycle > 0 && ws->current_size == 0 && is_time(ws)) {
        ws->is_over = false;
        size_arena(ws);
    } else if (is_learning(ws) && must_grow(ws)) {
        destroy_arena(ws);
        size_arena(ws);
        ws->grown++;
    }
    if (ws->trimmed_mode && ws->trimmed_step + 2 < ws->steps) {
        ws->is_over = false;
        destroy_arena(ws);
        size_arena(ws);
        ws->trimmed_mode = false;
        ws->regrown++;
    }
}

/* Each cycle consumes exactly one block. */
static void consume_block(struct nd4j *ws)
{
    uint64_t used = ws->cycle_allocations;
    if (ws->current_size == 0 || used >= ws->initial_block_size || ws->trimmed_mode || ws->offset == 0) {
        return;
    }
    uint64_t to = ws->has_wrapped ? ws->offset + ws->initial_block_size - used : ws->began_at + ws->initial_block_size;
    move_offset(ws, to < ws->current_size ? to : ws->current_size);
}

void nd4j_leave(struct nd4j *ws)
{
    ws->is_open = false;
    ws->is_used = true;
    if (ws->bypasses) {
        return;
    }
    ws->cycles++;
    if (ws->cycles > 1 && (ws->cycles - 1) % ws->steps_number == 0) {
        ws->steps++;
    }
    ws->max_cycle = ws->max_cycle > ws->cycle_allocations ? ws->max_cycle : ws->cycle_allocations;
    if (!ws->is_circular) {
        end_place(ws, INSIDE);
    }
    if (!ws->is_circular || ws->reset_planned) { /* divergence: without learning too */
        purge_spills(ws);
    }
    purge_pinned(ws);
    uint64_t arenas = ws->arenas;
    if (!ws->spills_everything) {
        resize(ws);
    }
    if (!ws->is_circular) {
        ws->offset = 0;
    } else if (ws->arenas == arenas) {
        consume_block(ws);
    }
    ws->last_cycle = ws->cycle_allocations;
    ws->cycle_allocations = 0;
}
