/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/space.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/base/size.h"

enum { WORD_BITS = 64 };

void space_init(struct space *space)
{
    *space = (struct space){0};
}

static uint32_t bin_of(uint32_t granules)
{
    return (uint32_t)size_min(granules, SPACE_BINS - 1);
}

static void add(struct space *space, struct span *span)
{
    uint32_t bin = bin_of(span->granules);
    span->is_free = true;
    LIST_INSERT_HEAD(&space->bins[bin], span, in_bin);
    space->filled[bin / WORD_BITS] |= UINT64_C(1) << bin % WORD_BITS;
}

static void take_out(struct space *space, struct span *span)
{
    uint32_t bin = bin_of(span->granules);
    span->is_free = false;
    LIST_REMOVE(span, in_bin);
    if (LIST_EMPTY(&space->bins[bin])) {
        space->filled[bin / WORD_BITS] &= ~(UINT64_C(1) << bin % WORD_BITS);
    }
}

void space_add_part(struct space *space, struct span *first)
{
    add(space, first);
}

void space_remove_part(struct space *space, struct span *first)
{
    struct span *after;
    for (struct span *span = first; span; span = after) {
        after = span->after;
        if (span->is_free) {
            take_out(space, span);
        }
        free(span);
    }
}

/* The smallest free span with so many granules. */
static struct span *find(const struct space *space, uint32_t granules)
{
    uint64_t wanted = UINT64_MAX << granules % WORD_BITS;
    for (uint32_t word = granules / WORD_BITS; word < SPACE_WORDS; word++) {
        uint64_t filled = space->filled[word] & wanted;
        if (filled) {
            return LIST_FIRST(&space->bins[word * WORD_BITS + (uint32_t)__builtin_ctzll(filled)]);
        }
        wanted = UINT64_MAX;
    }
    return NULL;
}

/* Cuts the taken part off the end of a free span, so that the first span of a part stays the first. */
static void cut(struct space *space, struct span *span, uint32_t granules, struct span *end)
{
    take_out(space, span);
    span->granules -= granules;
    add(space, span);
    *end = (struct span){
        .position = span->position + span->granules, .granules = granules, .before = span, .after = span->after};
    span->after = end;
    if (end->after) {
        end->after->before = end;
    }
}

struct span *space_take(struct space *space, uint32_t granules, bool *ret_no_memory)
{
    assert(granules > 0 && granules < SPACE_BINS);
    struct span *span = find(space, granules), *end = NULL;
    if (span && span->granules > granules) {
        end = calloc(1, sizeof *end);
        *ret_no_memory = !end;
        if (end) {
            cut(space, span, granules, end);
        }
        return end;
    }
    if (span) {
        take_out(space, span);
    }
    return span;
}

/* The second one becomes a part of the first. */
static void join(struct span *span, struct span *after)
{
    span->granules += after->granules;
    span->after = after->after;
    if (span->after) {
        span->after->before = span;
    }
    free(after);
}

/* Returns the free span that it is a part of then. */
static struct span *give(struct space *space, struct span *span)
{
    struct span *before = span->before, *after = span->after;
    assert(!span->is_free);
    if (after && after->is_free) {
        take_out(space, after);
        join(span, after);
    }
    if (before && before->is_free) {
        take_out(space, before);
        join(before, span);
        span = before;
    }
    add(space, span);
    return span;
}

void space_give(struct space *space, struct span *span)
{
    (void)give(space, span);
}

static uint32_t free_granules(const struct span *span)
{
    return span && span->is_free ? span->granules : 0;
}

struct span *space_retake(struct space *space, struct span *span, uint32_t granules, bool *ret_no_memory)
{
    uint32_t left = free_granules(span->before) + span->granules + free_granules(span->after);
    if (left < granules) {
        return NULL;
    }
    struct span *end = left > granules ? calloc(1, sizeof *end) : NULL;
    *ret_no_memory = left > granules && !end;
    if (*ret_no_memory) {
        return NULL;
    }
    span = give(space, span);
    if (end) {
        cut(space, span, granules, end);
        return end;
    }
    take_out(space, span);
    return span;
}
