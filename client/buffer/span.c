/* SPDX-License-Identifier: Apache-2.0 */
/* Best fit among the free spans of a pool; a span that is given back is joined with its free neighbours. */
#include "client/buffer/span.h"

#include <errno.h>
#include <stdlib.h>

#include "client/clock.h"

enum { PAGES_A_WORD = 64 };

static int span_compare(const struct span *a, const struct span *b)
{
    if (a->pages != b->pages) {
        return a->pages < b->pages ? -1 : 1;
    }
    const char *left = a->chunk ? span_data(a) : NULL, *right = b->chunk ? span_data(b) : NULL;
    return (left > right) - (left < right);
}

TREE_GENERATE(span_tree, span, in_free, span_compare)

void *span_data(const struct span *span)
{
    return span->chunk->base + (size_t)span->first * HEAP_PAGE_BYTES;
}

/* ---- the map and the tree ---- */

static void map_span(struct span *span)
{
    span->chunk->map[span->first] = span->chunk->map[span->first + span->pages - 1] = span;
}

/* So that span_at() finds the span of each of its pages. */
static void note_start(const struct span *span)
{
    struct span_starts *starts = span->chunk->starts;
    uint32_t last = (span->first + span->pages - 1) / PAGES_A_WORD;
    for (uint32_t word = span->first / PAGES_A_WORD + 1; word <= last; word++) {
        starts[word].reaches_in = span->first;
    }
    starts[span->first / PAGES_A_WORD].here |= UINT64_C(1) << span->first % PAGES_A_WORD;
}

static void forget_start(const struct span *span)
{
    span->chunk->starts[span->first / PAGES_A_WORD].here &= ~(UINT64_C(1) << span->first % PAGES_A_WORD);
}

/* Where no span in use is, the map may still have one that was there; records of spans stay until the heap ends. */
struct span *span_at(const struct chunk *chunk, uint32_t page)
{
    const struct span_starts *starts = &chunk->starts[page / PAGES_A_WORD];
    uint64_t here = starts->here << (63 - page % PAGES_A_WORD);
    struct span *span = chunk->map[here ? page - (uint32_t)__builtin_clzll(here) : starts->reaches_in];
    bool has_page = span && span->chunk == chunk && page - span->first < span->pages;
    return has_page && !span->is_free ? span : NULL;
}

static void insert_free(struct span *span)
{
    span->is_free = true;
    map_span(span);
    if (!span->chunk->is_lost) {
        RB_INSERT(span_tree, &span->chunk->pool->free, span);
    }
}

static void remove_free(struct span *span)
{
    span->is_free = false;
    if (!span->chunk->is_lost) {
        RB_REMOVE(span_tree, &span->chunk->pool->free, span);
    }
}

/* ---- chunks ---- */

void span_add_chunk(struct chunk *chunk)
{
    RB_INSERT(span_tree, &chunk->pool->free, chunk->map[0]);
}

void span_withdraw_chunk(struct chunk *chunk)
{
    if (chunk->is_lost) {
        return;
    }
    for (uint32_t page = 0; page < chunk->pages; page += chunk->map[page]->pages) {
        if (chunk->map[page]->is_free) {
            RB_REMOVE(span_tree, &chunk->pool->free, chunk->map[page]);
        }
    }
    chunk->is_lost = true;
}

/* ---- taking ---- */

/* The best fit in a chunk whose lease is valid. */
static struct span *best_fit(struct pool *pool, uint32_t pages)
{
    struct span wanted = {.pages = pages};
    for (;;) {
        struct span *span = RB_NFIND(span_tree, &pool->free, &wanted);
        if (!span || mb_lease_end_reason(span->chunk->lease) == MB_END_NONE) {
            return span;
        }
        span_withdraw_chunk(span->chunk);
    }
}

static struct span *new_span(struct pool *pool)
{
    struct span *span = pool->unused;
    if (!span) {
        return malloc(sizeof *span);
    }
    pool->unused = span->next_unused;
    return span;
}

/* Cuts a free span that is in no tree in two and returns the second part; NULL: there is no memory to do so. */
static struct span *cut(struct span *span, uint32_t pages)
{
    struct span *rest = new_span(span->chunk->pool);
    if (rest) {
        *rest = (struct span){.chunk = span->chunk, .first = span->first + pages, .pages = span->pages - pages};
        span->pages = pages;
    }
    return rest;
}

/* Pages before the first aligned one. */
static uint32_t lead_of(const struct span *span, uint32_t aligned)
{
    uintptr_t number = (uintptr_t)span_data(span) / HEAP_PAGE_BYTES;
    return (uint32_t)(-number & (aligned - 1));
}

static uint32_t note_use(const struct span *span)
{
    struct chunk *chunk = span->chunk;
    uint32_t fresh = chunk->fresh > span->first ? chunk->fresh - span->first : 0;
    if (span->first + span->pages > chunk->fresh) {
        chunk->fresh = span->first + span->pages;
    }
    chunk->used_pages += span->pages;
    return fresh;
}

/* Uses the part of a free span from `lead` on. What is left on both sides stays free. NULL with ENOMEM: there is no
 * memory to cut off the lead, which no buffer may have: the next one in the span would count on all of its pages. */
static struct span *use_part(struct span *span, uint32_t lead, uint32_t at_most, uint32_t *ret_fresh)
{
    remove_free(span);
    struct span *part = lead > 0 ? cut(span, lead) : span;
    if (part != span) {
        insert_free(span);
    }
    if (!part) {
        errno = ENOMEM;
        return NULL;
    }
    struct span *rest = part->pages > at_most ? cut(part, at_most) : NULL;
    if (rest) {
        insert_free(rest);
    }
    map_span(part);
    note_start(part);
    *ret_fresh = note_use(part);
    return part;
}

struct span *span_take(struct pool *pool, const struct span_wish *wish, uint32_t *ret_fresh)
{
    struct span *span = best_fit(pool, wish->pages + wish->aligned - 1);
    return span ? use_part(span, lead_of(span, wish->aligned), wish->at_most, ret_fresh) : NULL;
}

struct span *span_take_fresh(struct pool *pool, const struct span_wish *wish)
{
    struct chunk *chunk = TAILQ_LAST(&pool->chunks, chunk_list);
    if (!chunk || chunk->is_lost || chunk->fresh >= chunk->pages || mb_lease_end_reason(chunk->lease) != MB_END_NONE) {
        return NULL;
    }
    struct span *last = chunk->map[chunk->pages - 1], fresh = *last;
    uint32_t before = chunk->fresh > last->first ? chunk->fresh - last->first : 0;
    fresh.first += before;
    fresh.pages -= before;
    uint32_t lead = lead_of(&fresh, wish->aligned), ignored;
    bool has_room = fresh.pages >= lead && fresh.pages - lead >= wish->pages;
    return has_room ? use_part(last, before + lead, wish->at_most, &ignored) : NULL;
}

/* ---- giving ---- */

static struct span *join(struct span *left, struct span *right)
{
    struct pool *pool = left->chunk->pool;
    left->pages += right->pages;
    right->next_unused = pool->unused;
    pool->unused = right;
    return left;
}

void span_give(struct span *span, uint64_t since)
{
    struct chunk *chunk = span->chunk;
    forget_start(span);
    chunk->used_pages -= span->pages;
    if (span->first + span->pages < chunk->pages && chunk->map[span->first + span->pages]->is_free) {
        struct span *right = chunk->map[span->first + span->pages];
        remove_free(right);
        span = join(span, right);
    }
    if (span->first > 0 && chunk->map[span->first - 1]->is_free) {
        struct span *left = chunk->map[span->first - 1];
        remove_free(left);
        span = join(left, span);
    }
    insert_free(span);
    if (chunk->used_pages == 0) {
        chunk->idle_since = chunk->pool->heap->idle_since = since ? since : clock_milliseconds();
    }
}
