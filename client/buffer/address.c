/* SPDX-License-Identifier: Apache-2.0 */
/* From an address to its buffer, without a lock. */
#define MB_NO_INLINE
#include "client/buffer/buffer.h"
#include "client/client.h"

static mb_buffer *at_of_slab(struct slab *slab, uintptr_t address)
{
    size_t index = (address - (uintptr_t)span_data(slab->span)) / size_class_bytes[slab->size_class];
    return index < atomic_load_explicit(&slab->fresh, memory_order_acquire) ? &slab->buffers[index] : NULL;
}

static bool has(const mb_buffer *buffer, uintptr_t address)
{
    return atomic_load_explicit(&buffer->references, memory_order_relaxed) > 0 &&
           address - (uintptr_t)buffer->head.data < __atomic_load_n(&buffer->head.size, __ATOMIC_RELAXED);
}

mb_buffer *mb_buffer_from_address(mb_client *client, const void *address)
{
    const struct chunk *chunk = chunk_index_find(&client->heaps->chunks, address);
    uintptr_t offset = chunk ? (uintptr_t)address - (uintptr_t)chunk->base : 0;
    const struct span *span = chunk ? span_at(chunk, (uint32_t)(offset / HEAP_PAGE_BYTES)) : NULL;
    if (!span) {
        return NULL;
    }
    struct slab *slab = __atomic_load_n(&span->slab, __ATOMIC_ACQUIRE);
    struct large_buffer *large = __atomic_load_n(&span->large, __ATOMIC_ACQUIRE);
    mb_buffer *buffer = slab ? at_of_slab(slab, (uintptr_t)address) : large ? &large->buffer : NULL;
    return buffer && has(buffer, (uintptr_t)address) ? buffer : NULL;
}
