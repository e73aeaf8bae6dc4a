/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large buffers: each a span of its own, of one of eight sizes to each doubling. Those that were freed lately are kept
 * as they are, by size: their pages exist already, and programs make the same sizes again and again.
 */
#include "client/buffer/large.h"

#include <errno.h>
#include <stdlib.h>

#include "client/buffer/span.h"
#include "client/client.h"
#include "client/clock.h"

/* At most this part of the pool is kept, and how many buffers of a class are looked at for one that fits. */
enum { KEPT_SHARE = 8, KEPT_PAGES_MIN = 1024, LOOK_AT_MOST = 4, CLASSES_PER_DOUBLING = 8 };

/* ---- classes of pages ---- */

static unsigned doubling_of(uint32_t pages)
{
    return 31u - (unsigned)__builtin_clz(pages);
}

/* The largest class that is no larger. Up to 15 pages each number is a class. */
static unsigned class_of(uint32_t pages)
{
    if (pages < 2 * CLASSES_PER_DOUBLING) {
        return pages;
    }
    unsigned doubling = doubling_of(pages);
    return CLASSES_PER_DOUBLING * (doubling - 3) + (pages >> (doubling - 3));
}

/* Rounded up to a class. */
static uint32_t rounded(uint32_t pages)
{
    if (pages < 2 * CLASSES_PER_DOUBLING) {
        return pages;
    }
    uint32_t step = UINT32_C(1) << (doubling_of(pages) - 3);
    return (pages + step - 1) & ~(step - 1);
}

/* In misuse mode what lies behind a buffer's last page must be the page that is never handed out. */
struct span_wish large_wish(const struct heap *heap, uint32_t pages, uint32_t aligned)
{
    return (struct span_wish){
        .pages = pages, .at_most = heap->catch_misuse ? pages : rounded(pages), .aligned = aligned};
}

/* ---- what is kept ---- */

static void unkeep(struct large_buffer *large)
{
    struct heap *heap = large->span->chunk->pool->heap;
    TAILQ_REMOVE(&heap->kept[class_of(large->span->pages)], large, in_class);
    TAILQ_REMOVE(&heap->all_kept, large, in_kept);
    heap->kept_pages -= large->span->pages;
}

static bool suits(const struct large_buffer *large, const struct span_wish *wish)
{
    const struct span *span = large->span;
    return span->pages >= wish->pages && (uintptr_t)span_data(span) / HEAP_PAGE_BYTES % wish->aligned == 0 &&
           mb_lease_end_reason(span->chunk->lease) == MB_END_NONE;
}

static struct large_buffer *take_of_class(struct heap *heap, unsigned page_class, const struct span_wish *wish,
                                          bool is_zero)
{
    struct large_buffer *large;
    unsigned looked_at = 0;
    TAILQ_FOREACH(large, &heap->kept[page_class], in_class) {
        if (large->is_zero == is_zero && suits(large, wish)) {
            unkeep(large);
            return large;
        }
        if (++looked_at == LOOK_AT_MOST) {
            break;
        }
    }
    return NULL;
}

/* A chunk that was leased for one buffer is not rounded, so the class below may have one that fits, too. */
static struct large_buffer *take_kept(struct heap *heap, const struct span_wish *wish, bool is_zero)
{
    unsigned best = class_of(wish->at_most), below = class_of(wish->pages);
    struct large_buffer *large = take_of_class(heap, best, wish, is_zero);
    return large || below == best ? large : take_of_class(heap, below, wish, is_zero);
}

static void give_up(struct large_buffer *large, uint64_t since)
{
    struct heap *heap = large->span->chunk->pool->heap;
    unkeep(large);
    large->span->large = NULL;
    span_give(large->span, since);
    TAILQ_INSERT_HEAD(&heap->unused, large, in_kept);
}

/* ---- making ---- */

static struct large_buffer *new_record(struct heap *heap)
{
    struct large_buffer *large = TAILQ_FIRST(&heap->unused);
    if (large) {
        TAILQ_REMOVE(&heap->unused, large, in_kept);
        return large;
    }
    return malloc(sizeof *large);
}

static mb_buffer *make(struct heap *heap, struct large_buffer *large, struct span *span)
{
    char *data = span_data(span);
    uint64_t bytes = (uint64_t)span->pages * HEAP_PAGE_BYTES;
    *large = (struct large_buffer){.span = span};
    large->extra.buffer = &large->buffer;
    large->buffer.head.data = data;
    large->buffer.extra = &large->extra;
    bool is_medium = bytes > SMALL_BYTES_MAX && bytes <= MEDIUM_BYTES_MAX;
    bool has_class = is_medium && size_class_bytes[size_class_of(bytes)] == bytes;
    unsigned size_class = has_class ? size_class_of(bytes) : SIZE_CLASS_NONE;
    atomic_store_explicit(&large->buffer.state, buffer_state_of(size_class, heap_tag(heap)), memory_order_relaxed);
    span->large = large;
    return &large->buffer;
}

/* `span` NULL: there was no room. */
static mb_buffer *make_or_give_back(struct heap *heap, struct large_buffer *large, struct span *span)
{
    if (span) {
        return make(heap, large, span);
    }
    TAILQ_INSERT_HEAD(&heap->unused, large, in_kept);
    return NULL;
}

mb_buffer *large_take(struct heap *heap, const struct span_wish *wish, uint32_t *ret_fresh)
{
    struct large_buffer *large = take_kept(heap, wish, false);
    large = large ? large : take_kept(heap, wish, true);
    if (large) {
        *ret_fresh = large->is_zero ? 0 : large->span->pages;
        return &large->buffer;
    }
    large = new_record(heap);
    if (!large) {
        errno = ENOMEM;
        return NULL;
    }
    errno = 0;
    struct span *span = span_take(&heap->large, wish, ret_fresh);
    if (!span && heap->kept_pages > 0) {
        large_flush(heap, 0, false); /* together they may have enough room */
        errno = 0;
        span = span_take(&heap->large, wish, ret_fresh);
    }
    return make_or_give_back(heap, large, span);
}

mb_buffer *large_take_fresh(struct heap *heap, const struct span_wish *wish)
{
    struct large_buffer *large = take_kept(heap, wish, true);
    if (large) {
        return &large->buffer;
    }
    large = new_record(heap);
    return large ? make_or_give_back(heap, large, span_take_fresh(&heap->large, wish)) : NULL;
}

mb_buffer *large_take_kept(struct heap *heap, unsigned size_class)
{
    uint32_t pages = size_class_bytes[size_class] / HEAP_PAGE_BYTES;
    const struct span_wish wish = {.pages = pages, .at_most = pages, .aligned = 1};
    struct large_buffer *large = TAILQ_FIRST(&heap->kept[class_of(pages)]);
    if (!large || buffer_class(&large->buffer) != size_class || !suits(large, &wish)) {
        return NULL;
    }
    unkeep(large);
    return &large->buffer;
}

/* ---- ending ---- */

/* Another look at what is kept comes after half the time, so that it stays for at least that. */
static void plan_look(struct heap *heap)
{
    if (heap_next_look(heap->client->heaps) == UINT64_MAX) {
        heap->idle_since = clock_milliseconds() - HEAP_IDLE_MS / 2;
    }
}

void large_give(mb_buffer *buffer, bool is_zero)
{
    struct large_buffer *large = buffer_large(buffer);
    struct heap *heap = large->span->chunk->pool->heap;
    uint64_t pages = heap->large.leased_bytes / HEAP_PAGE_BYTES / KEPT_SHARE;
    TAILQ_INSERT_HEAD(&heap->kept[class_of(large->span->pages)], large, in_class);
    TAILQ_INSERT_TAIL(&heap->all_kept, large, in_kept);
    heap->kept_pages += large->span->pages;
    large->is_zero = is_zero;
    large->kept_at = heap->looks;
    pages = pages > KEPT_PAGES_MIN ? pages : KEPT_PAGES_MIN;
    while (heap->kept_pages > pages && TAILQ_FIRST(&heap->all_kept) != large) { /* the newest one stays in any case */
        give_up(TAILQ_FIRST(&heap->all_kept), 0);
    }
    plan_look(heap);
}

void large_flush(struct heap *heap, uint64_t since, bool is_aged)
{
    struct large_buffer *large;
    while ((large = TAILQ_FIRST(&heap->all_kept)) && !(is_aged && large->kept_at == heap->looks)) {
        give_up(large, since);
    }
    heap->looks++;
}

static void free_all(struct large_list *list)
{
    struct large_buffer *large;
    while ((large = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, large, in_kept);
        free(large);
    }
}

void large_close(struct heap *heap)
{
    large_flush(heap, 0, false);
    free_all(&heap->unused);
}
