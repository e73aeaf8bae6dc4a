/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's cache of small buffers. */
#include "client/buffer/cache.h"

#include <stdlib.h>

#include "client/buffer/slab.h"
#include "client/registry.h"

_Thread_local struct buffer_cache *cache_open;

void cache_update(struct thread *thread)
{
    cache_open = thread->buffer_scope ? NULL : thread->cache;
}

static void give_to_heap(struct heap *heap, mb_buffer *const *buffers, unsigned count)
{
    (void)pthread_mutex_lock(&heap->lock);
    for (unsigned i = 0; i < count; i++) {
        slab_give(buffers[i]);
    }
    heap_unlock(heap);
}

static int take_from_heap(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count)
{
    for (;;) {
        (void)pthread_mutex_lock(&heap->lock);
        unsigned taken = slab_take(heap, size_class, ret, count);
        (void)pthread_mutex_unlock(&heap->lock);
        if (taken > 0) {
            return (int)taken;
        }
        int result = slab_add(heap, size_class);
        if (result < 0) {
            return result;
        }
    }
}

/* ---- the cache itself ---- */

static void empty(struct buffer_cache *cache, struct heap *heap)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        struct cache_bin *bin = &cache->bins[i];
        if (bin->count > 0) {
            give_to_heap(heap, bin->buffers, bin->count);
            bin->count = 0;
        }
    }
}

/* Forgets the buffers of the heap before: that heap is gone, or has them back. */
static void bind(struct buffer_cache *cache, const struct heap *heap)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        uint32_t capacity = CACHE_BIN_BYTES / size_class_bytes[i];
        cache->bins[i].count = 0;
        cache->bins[i].capacity = capacity > CACHE_BIN_BUFFERS ? CACHE_BIN_BUFFERS : capacity;
    }
    cache->serial = heap->serial;
    cache->client = heap->client;
    cache->client_serial = heap->client->serial;
    cache->epoch = atomic_load(&heap->client->epoch);
}

static bool is_bound_elsewhere(const struct buffer_cache *cache, const struct heap *heap)
{
    return cache->serial != heap->serial && registry_finds(cache->client, cache->client_serial);
}

/* The thread's cache, made if needed. NULL: it can't serve this heap. */
static struct buffer_cache *cache_for(struct thread *thread, struct heap *heap)
{
    struct buffer_cache *cache = thread->cache;
    if (heap->location != MB_LOCATION_RAM || heap->catch_misuse) {
        return NULL;
    }
    if (!cache) {
        cache = thread->cache = calloc(1, sizeof *cache);
        if (!cache) {
            return NULL;
        }
        bind(cache, heap);
        cache_update(thread);
    } else if (cache->serial != heap->serial) {
        if (is_bound_elsewhere(cache, heap)) {
            return NULL;
        }
        bind(cache, heap);
    } else if (cache->epoch != atomic_load_explicit(&heap->client->epoch, memory_order_relaxed)) {
        empty(cache, heap); /* some may lie in a lost lease */
        bind(cache, heap);
    }
    return cache;
}

mb_buffer *cache_take(struct thread *thread, struct heap *heap, unsigned size_class)
{
    mb_buffer *buffers[CACHE_BIN_BUFFERS];
    struct buffer_cache *cache = cache_for(thread, heap);
    struct cache_bin *bin = cache ? &cache->bins[size_class] : NULL;
    if (bin && bin->count > 0) {
        return bin->buffers[--bin->count];
    }
    if (!bin) {
        return take_from_heap(heap, size_class, buffers, 1) < 0 ? NULL : buffers[0];
    }
    int taken = take_from_heap(heap, size_class, buffers, (bin->capacity + 1) / 2);
    for (int i = 1; i < taken; i++) {
        bin->buffers[bin->count++] = buffers[i];
    }
    return taken > 0 ? buffers[0] : NULL;
}

void cache_give(mb_buffer *buffer)
{
    struct buffer_cache *cache = thread_self ? thread_self->cache : NULL;
    if (!cache || cache->serial != buffer->heap->serial) {
        give_to_heap(buffer->heap, &buffer, 1);
        return;
    }
    struct cache_bin *bin = &cache->bins[buffer->size_class];
    if (bin->count == bin->capacity) {
        unsigned half = (bin->count + 1) / 2; /* the older ones */
        give_to_heap(buffer->heap, bin->buffers, half);
        bin->count -= half;
        for (unsigned i = 0; i < bin->count; i++) {
            bin->buffers[i] = bin->buffers[i + half];
        }
    }
    bin->buffers[bin->count++] = buffer;
}

void cache_flush(const mb_client *client)
{
    struct buffer_cache *cache = thread_self ? thread_self->cache : NULL;
    struct heap *heap = heap_of(client->heaps, MB_LOCATION_RAM);
    if (cache && cache->serial == heap->serial) {
        empty(cache, heap);
    }
}

void cache_end_thread(struct thread *thread)
{
    struct buffer_cache *cache = thread->cache;
    if (cache && registry_has(cache->client, cache->client_serial)) {
        empty(cache, heap_of(cache->client->heaps, MB_LOCATION_RAM));
    }
    free(cache);
    thread->cache = NULL;
    cache_update(thread);
}

void cache_forget(struct thread *thread)
{
    thread->cache = NULL;
    cache_update(thread);
}
