/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an address to its buffer. It takes the lock of each heap in turn: chunks, spans and slabs come and go under it,
 * so that none of them ends while it is read.
 */
#define MB_NO_INLINE
#include "client/buffer/buffer.h"
#include "client/client.h"
#include "client/thread.h"

static mb_buffer *at_of_slab(struct slab *slab, uintptr_t address)
{
    size_t index = (address - (uintptr_t)span_data(slab->span)) / size_class_bytes[slab->size_class];
    return index < slab->fresh ? &slab->buffers[index] : NULL;
}

static bool has(const mb_buffer *buffer, uintptr_t address)
{
    return buffer_references(buffer) > 0 &&
           address - (uintptr_t)buffer->head.data < __atomic_load_n(&buffer->head.size, __ATOMIC_RELAXED);
}

/* With the heap's lock. */
static mb_buffer *find(const struct heap *heap, const void *address)
{
    const struct chunk *chunk = chunk_index_find(&heap->chunks, address);
    uintptr_t offset = chunk ? (uintptr_t)address - (uintptr_t)chunk->base : 0;
    const struct span *span = chunk ? span_at(chunk, (uint32_t)(offset / HEAP_PAGE_BYTES)) : NULL;
    if (!span) {
        return NULL;
    }
    mb_buffer *buffer = span->slab    ? at_of_slab(span->slab, (uintptr_t)address)
                        : span->large ? &span->large->buffer
                                      : NULL;
    return buffer && has(buffer, (uintptr_t)address) ? buffer : NULL;
}

mb_buffer *mb_buffer_from_address(mb_client *client, const void *address)
{
    mb_buffer *buffer = NULL;
    if (!thread_process_is(client->owner)) {
        return NULL; /* a forked child's copy: the lock may be held by a thread that the child lacks */
    }
    for (int i = 0; i < HEAP_LOCATIONS && !buffer; i++) {
        struct heap *heap = &client->heaps->of[i];
        (void)pthread_mutex_lock(&heap->lock);
        buffer = find(heap, address);
        (void)pthread_mutex_unlock(&heap->lock);
    }
    return buffer;
}
