/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts spans into equal blocks. Which are free is in two words of the slab, so that taking and giving touch no record
 * but those that the caller has at hand.
 */
#include "client/buffer/slab.h"

#include <errno.h>
#include <stdlib.h>

#include "client/buffer/pool.h"
#include "client/buffer/record_pages.h"
#include "client/buffer/span.h"
#include "client/buffer/weak.h"
#include "client/client.h"
#include "client/error.h"

/* The first slabs of a class are small, later ones grow with it. */
enum { SLAB_PAGES_FIRST = 16, SLAB_PAGES_MAX = 128, SLAB_SHARE = 8 };

static uint32_t pages_of(const struct heap *heap, unsigned size_class)
{
    uint32_t bytes = size_class_bytes[size_class], most = SLAB_BUFFERS_MAX * bytes / HEAP_PAGE_BYTES;
    uint32_t wished = heap->slab_pages[size_class] / SLAB_SHARE;
    wished = wished < SLAB_PAGES_FIRST ? SLAB_PAGES_FIRST : wished;
    wished = wished > SLAB_PAGES_MAX ? SLAB_PAGES_MAX : wished;
    return most < 1 ? 1 : most < wished ? most : wished;
}

static void set_partial(struct slab *slab, bool partial)
{
    if (partial && !slab->is_partial) {
        LIST_INSERT_HEAD(&slab->heap->partial[slab->size_class], slab, in_heap);
    } else if (!partial && slab->is_partial) {
        LIST_REMOVE(slab, in_heap);
    }
    slab->is_partial = partial;
}

/* ---- taking and giving ---- */

static void make_record(struct slab *slab)
{
    mb_buffer *buffer = &slab->buffers[slab->fresh];
    buffer->head.data = (char *)span_data(slab->span) + (size_t)slab->fresh * size_class_bytes[slab->size_class];
    atomic_store_explicit(&buffer->state, buffer_state_of(slab->size_class, heap_tag(slab->heap)),
                          memory_order_relaxed);
    slab->free[slab->fresh / 64] |= UINT64_C(1) << (slab->fresh % 64);
    slab->fresh++;
}

static unsigned take_from(struct slab *slab, mb_buffer **ret, unsigned count)
{
    unsigned taken = 0;
    while (taken < count) {
        unsigned word = slab->free[0] ? 0 : 1;
        if (slab->free[word]) {
            ret[taken++] = &slab->buffers[word * 64 + (unsigned)__builtin_ctzll(slab->free[word])];
            slab->free[word] &= slab->free[word] - 1;
        } else if (slab->fresh < slab->count) {
            make_record(slab);
        } else {
            set_partial(slab, false);
            break;
        }
    }
    slab->used = (uint16_t)(slab->used + taken);
    return taken;
}

/* A slab with room in a chunk whose lease is valid. */
static struct slab *find_slab(struct heap *heap, unsigned size_class)
{
    struct slab *slab;
    while ((slab = LIST_FIRST(&heap->partial[size_class]))) {
        if (mb_lease_end_reason(slab->span->chunk->lease) == MB_END_NONE) {
            return slab;
        }
        set_partial(slab, false);
        span_withdraw_chunk(slab->span->chunk);
    }
    return NULL;
}

unsigned slab_take(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count)
{
    unsigned taken = 0;
    struct slab *slab;
    while (taken < count && (slab = find_slab(heap, size_class))) {
        taken += take_from(slab, ret + taken, count - taken);
    }
    return taken;
}

static void end(struct slab *slab)
{
    struct span *span = slab->span;
    struct heap *heap = slab->heap;
    set_partial(slab, false);
    heap->slab_pages[slab->size_class] -= span->pages;
    span->slab = NULL;
    record_page_give(&heap->records, slab);
    span_give(span, 0);
}

void slab_give(mb_buffer *buffer)
{
    struct slab *slab = buffer_slab(buffer);
    size_t index = (size_t)(buffer - slab->buffers);
    slab->free[index / 64] |= UINT64_C(1) << (index % 64);
    if (--slab->used == 0) {
        end(slab);
    } else if (!slab->is_partial && !slab->span->chunk->is_lost) {
        set_partial(slab, true);
    }
}

/* ---- making and ending ---- */

/* NULL: out of memory; the span is free again. */
static struct slab *make(struct heap *heap, struct span *span, unsigned size_class)
{
    struct slab *slab = record_page_take(&heap->records);
    if (!slab) {
        span_give(span, 0);
        return NULL;
    }
    uint32_t fits = span->pages * HEAP_PAGE_BYTES / size_class_bytes[size_class];
    *slab = (struct slab){.span = span}; /* no record of another slab is left */
    slab->heap = heap;
    slab->size_class = (uint8_t)size_class;
    slab->count = (uint16_t)(fits < SLAB_BUFFERS_MAX ? fits : SLAB_BUFFERS_MAX);
    span->slab = slab;
    heap->slab_pages[size_class] += span->pages;
    set_partial(slab, true);
    return slab;
}

/* Takes buffers before it gives the lock up: a slab ends when its last buffer comes back, so one that nobody took from
 * would stay. */
int slab_add(struct heap *heap, unsigned size_class, bool may_ask, mb_buffer **ret, unsigned count)
{
    uint32_t fresh;
    struct span *span;
    int result = 0;
    (void)pthread_mutex_lock(&heap->lock);
    uint32_t pages = pages_of(heap, size_class);
    const struct span_wish wish = {.pages = pages, .at_most = pages, .aligned = 1};
    while (!(span = span_take(&heap->small, &wish, &fresh)) && result == 0) {
        (void)pthread_mutex_unlock(&heap->lock);
        result = may_ask ? pool_grow(&heap->small, &wish) : pool_refuse();
        (void)pthread_mutex_lock(&heap->lock);
    }
    if (span) {
        struct slab *slab = make(heap, span, size_class);
        result = slab ? (int)take_from(slab, ret, count) : error_no_memory();
    }
    heap_unlock(heap);
    return result;
}

static void free_extras(struct slab *slab)
{
    for (unsigned i = 0; i < slab->fresh; i++) {
        if (buffer_has(&slab->buffers[i], BUFFER_WEAK)) {
            weak_cut(&slab->buffers[i]);
        }
        if (buffer_has(&slab->buffers[i], BUFFER_EXTRA)) {
            free(slab->buffers[i].extra);
        }
    }
}

void slabs_close(struct heap *heap)
{
    const struct chunk *chunk;
    TAILQ_FOREACH(chunk, &heap->small.chunks, in_pool) {
        for (uint32_t page = 0; page < chunk->pages; page += chunk->map[page]->pages) {
            if (chunk->map[page]->slab) {
                free_extras(chunk->map[page]->slab);
            }
        }
    }
    record_pages_close(&heap->records);
}
