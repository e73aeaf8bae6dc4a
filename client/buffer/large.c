/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large buffers: each a span of its own. Programs free and make the same sizes again and again, so the last few that
 * were freed are kept as they are, for at most a second.
 */
#include "client/buffer/large.h"

#include <stdlib.h>

#include "client/buffer/span.h"
#include "client/client.h"
#include "client/clock.h"

struct large_buffer {
    mb_buffer buffer; /* first */
    struct listing listing;
};

struct listing *large_listing(mb_buffer *buffer)
{
    return &((struct large_buffer *)(void *)buffer)->listing;
}

static void forget(struct heap *heap, unsigned index)
{
    heap->recent_count--;
    for (unsigned i = index; i < heap->recent_count; i++) {
        heap->recent[i] = heap->recent[i + 1];
    }
}

static mb_buffer *take_recent(struct heap *heap, uint32_t pages)
{
    for (unsigned i = heap->recent_count; i-- > 0;) {
        mb_buffer *buffer = heap->recent[i];
        if (buffer->span->pages == pages && mb_lease_end_reason(buffer->span->chunk->lease) == MB_END_NONE) {
            forget(heap, i);
            return buffer;
        }
    }
    return NULL;
}

static mb_buffer *take_new(struct heap *heap, uint32_t pages, uint32_t *ret_fresh)
{
    struct large_buffer *large =
        malloc(sizeof *large); /* not calloc(), which bypasses malloc()'s cache of the thread */
    struct span *span = large ? span_take(&heap->large, pages, ret_fresh) : NULL;
    if (!span) {
        free(large);
        return NULL;
    }
    mb_buffer *buffer = &large->buffer;
    *buffer = (mb_buffer){.head.data = span_data(span), .flags = BUFFER_LARGE, .heap = heap, .span = span};
    buffer->serial = heap->serial;
    return buffer;
}

mb_buffer *large_take(struct heap *heap, uint32_t pages, uint32_t *ret_fresh)
{
    mb_buffer *buffer = take_recent(heap, pages);
    if (buffer) {
        *ret_fresh = pages;
        return buffer;
    }
    buffer = take_new(heap, pages, ret_fresh);
    if (!buffer && heap->recent_count > 0) {
        large_flush(heap, 0); /* together they may have enough room */
        buffer = take_new(heap, pages, ret_fresh);
    }
    return buffer;
}

static void give_up(mb_buffer *buffer, uint64_t since)
{
    span_give(buffer->span, since);
    free(buffer); /* with its listing */
}

void large_give(mb_buffer *buffer)
{
    struct heap *heap = buffer->heap;
    if (heap->recent_count == HEAP_RECENT) {
        give_up(heap->recent[0], 0);
        forget(heap, 0);
    }
    if (heap_next_look(heap->client->heaps) == UINT64_MAX) {
        heap->idle_since = clock_milliseconds(); /* otherwise a look within a second is planned */
    }
    heap->recent[heap->recent_count++] = buffer;
}

void large_flush(struct heap *heap, uint64_t since)
{
    while (heap->recent_count > 0) {
        give_up(heap->recent[--heap->recent_count], since);
    }
}
