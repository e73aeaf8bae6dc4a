/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts spans into equal blocks. The buffers' records lie beside each other in private memory. */
#include "client/buffer/slab.h"

#include <errno.h>
#include <stdlib.h>

#include "client/buffer/pool.h"
#include "client/buffer/span.h"
#include "client/client.h"
#include "client/error.h"

enum { SLAB_PAGES = 16, SLAB_PAGES_LARGE = 64, LARGER_THAN = 4096 };

static uint32_t pages_of(unsigned size_class)
{
    return size_class_bytes[size_class] > LARGER_THAN ? SLAB_PAGES_LARGE : SLAB_PAGES;
}

static void set_partial(struct slab *slab, bool partial)
{
    struct heap *heap = slab->span->chunk->pool->heap;
    if (partial && !slab->is_partial) {
        LIST_INSERT_HEAD(&heap->partial[slab->size_class], slab, in_heap);
    } else if (!partial && slab->is_partial) {
        LIST_REMOVE(slab, in_heap);
    }
    slab->is_partial = partial;
}

static mb_buffer *take_one(struct slab *slab)
{
    mb_buffer *buffer = slab->free;
    if (buffer) {
        slab->free = buffer->next;
    } else if (slab->fresh < slab->count) {
        buffer = &slab->buffers[slab->fresh];
        buffer->head.data = (char *)span_data(slab->span) + (size_t)slab->fresh * size_class_bytes[slab->size_class];
        buffer->size_class = (uint16_t)slab->size_class;
        buffer->heap = slab->span->chunk->pool->heap;
        buffer->serial = buffer->heap->serial;
        buffer->span = slab->span;
        slab->fresh++;
    } else {
        set_partial(slab, false);
        return NULL;
    }
    slab->used++;
    return buffer;
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
        mb_buffer *buffer = take_one(slab);
        if (buffer) {
            ret[taken++] = buffer;
        }
    }
    return taken;
}

void slab_give(mb_buffer *buffer)
{
    struct slab *slab = buffer->span->slab;
    buffer->next = slab->free;
    slab->free = buffer;
    slab->used--;
    if (slab->used == 0) {
        struct span *span = slab->span;
        set_partial(slab, false);
        span->slab = NULL;
        free(slab);
        span_give(span, 0);
    } else {
        set_partial(slab, !slab->span->chunk->is_lost);
    }
}

int slab_add(struct heap *heap, unsigned size_class)
{
    uint32_t pages = pages_of(size_class), count = pages * HEAP_PAGE_BYTES / size_class_bytes[size_class], fresh;
    struct slab *slab = calloc(1, sizeof *slab + count * sizeof(mb_buffer));
    if (!slab) {
        return error_set(-ENOMEM, "out of memory for the library's own tables");
    }
    slab->size_class = size_class;
    slab->count = count;
    (void)pthread_mutex_lock(&heap->lock);
    slab->span = span_take(&heap->small, pages, &fresh);
    while (!slab->span) {
        (void)pthread_mutex_unlock(&heap->lock);
        int result = pool_grow(&heap->small, pages);
        if (result < 0) {
            free(slab);
            return result;
        }
        (void)pthread_mutex_lock(&heap->lock);
        slab->span = span_take(&heap->small, pages, &fresh);
    }
    slab->span->slab = slab;
    set_partial(slab, true);
    (void)pthread_mutex_unlock(&heap->lock);
    return 0;
}
