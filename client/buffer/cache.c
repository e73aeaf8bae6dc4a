/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's cache of buffers. */
#include "client/buffer/cache.h"

#include <stdlib.h>

#include "client/buffer/extra.h"
#include "client/buffer/large.h"
#include "client/buffer/slab.h"
#include "client/location.h"
#include "client/registry.h"

_Thread_local struct buffer_cache *cache_open;

/* With the registry's lock. */
static LIST_HEAD(cache_list, buffer_cache) caches = LIST_HEAD_INITIALIZER(caches);

void cache_update(struct thread *thread)
{
    cache_open = thread->buffer_scope ? NULL : thread->cache;
}

/* ---- the heap below ---- */

static void give_to_heap(struct heap *heap, mb_buffer *const *buffers, unsigned count)
{
    (void)pthread_mutex_lock(&heap->lock);
    for (unsigned i = 0; i < count; i++) {
        if (buffer_is_large(buffers[i])) {
            extra_unlist(buffers[i]);
            large_give(buffers[i]);
        } else {
            slab_give(buffers[i]);
        }
    }
    heap_unlock(heap);
}

static int take_small(struct heap *heap, unsigned size_class, bool may_ask, mb_buffer **ret, unsigned count)
{
    for (;;) {
        (void)pthread_mutex_lock(&heap->lock);
        unsigned taken = slab_take(heap, size_class, ret, count);
        (void)pthread_mutex_unlock(&heap->lock);
        if (taken > 0) {
            return (int)taken;
        }
        int result = slab_add(heap, size_class, may_ask);
        if (result < 0) {
            return result;
        }
    }
}

static unsigned take_medium(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count)
{
    unsigned taken = 0;
    (void)pthread_mutex_lock(&heap->lock);
    while (taken < count && (ret[taken] = large_take_kept(heap, size_class))) {
        extra_list(ret[taken++], NULL);
    }
    (void)pthread_mutex_unlock(&heap->lock);
    return taken;
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
    cache->medium_bytes = 0;
}

static uint32_t capacity_of(unsigned size_class)
{
    uint32_t bytes = size_class_bytes[size_class];
    uint32_t capacity = size_class < SMALL_CLASSES ? CACHE_BIN_BYTES / bytes : CACHE_MEDIUM_BUFFERS;
    return capacity > CACHE_BIN_BUFFERS ? CACHE_BIN_BUFFERS : capacity;
}

/* Forgets the buffers of the heap before: that heap is gone, or has them back. */
static void bind(struct buffer_cache *cache, const struct heap *heap)
{
    registry_lock();
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        cache->bins[i].count = 0;
        cache->bins[i].capacity = capacity_of(i);
    }
    cache->medium_bytes = 0;
    cache->serial = heap->serial;
    cache->client = heap->client;
    cache->client_serial = heap->client->serial;
    cache->epoch = atomic_load(&heap->client->epoch);
    atomic_store(&cache->tag, heap->tag);
    registry_unlock();
}

void cache_unbind(const struct heap *heap)
{
    struct buffer_cache *cache;
    LIST_FOREACH(cache, &caches, in_process) {
        if (cache->serial == heap->serial) {
            atomic_store(&cache->tag, TAG_UNBOUND);
        }
    }
}

static struct buffer_cache *cache_new(void)
{
    struct buffer_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        atomic_store(&cache->tag, TAG_UNBOUND);
        registry_lock();
        LIST_INSERT_HEAD(&caches, cache, in_process);
        registry_unlock();
    }
    return cache;
}

static bool is_bound_elsewhere(const struct buffer_cache *cache, const struct heap *heap)
{
    return cache->serial != heap->serial && registry_finds(cache->client, cache->client_serial);
}

/* The thread's cache, made if needed. NULL: it can't serve this heap. */
static struct buffer_cache *cache_for(struct thread *thread, struct heap *heap)
{
    struct buffer_cache *cache = thread->cache;
    if (heap->tag == TAG_NONE) {
        return NULL;
    }
    if (!cache) {
        cache = thread->cache = cache_new();
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

static mb_buffer *pop(struct buffer_cache *cache, unsigned size_class)
{
    struct cache_bin *bin = &cache->bins[size_class];
    if (bin->count > 0 && size_class_is_medium(size_class)) {
        cache->medium_bytes -= size_class_bytes[size_class];
    }
    return bin->count > 0 ? bin->buffers[--bin->count] : NULL;
}

static void push(struct buffer_cache *cache, mb_buffer *buffer)
{
    struct cache_bin *bin = &cache->bins[buffer->size_class];
    if (buffer_is_large(buffer)) {
        cache->medium_bytes += size_class_bytes[buffer->size_class];
    }
    bin->buffers[bin->count++] = buffer;
}

/* Puts all but the first into the cache, and returns the first. */
static mb_buffer *keep_others(struct buffer_cache *cache, mb_buffer *const *buffers, unsigned count)
{
    for (unsigned i = count; i-- > 1;) {
        push(cache, buffers[i]);
    }
    return count > 0 ? buffers[0] : NULL;
}

mb_buffer *cache_take_small(struct thread *thread, struct heap *heap, unsigned size_class, bool may_ask)
{
    mb_buffer *buffers[CACHE_BIN_BUFFERS];
    struct buffer_cache *cache = cache_for(thread, heap);
    mb_buffer *cached = cache ? pop(cache, size_class) : NULL;
    if (cached) {
        return cached;
    }
    int taken = take_small(heap, size_class, may_ask, buffers, cache ? (capacity_of(size_class) + 1) / 2 : 1);
    if (taken <= 0) {
        return NULL;
    }
    return cache ? keep_others(cache, buffers, (unsigned)taken) : buffers[0];
}

mb_buffer *cache_take_medium(struct thread *thread, struct heap *heap, unsigned size_class)
{
    mb_buffer *buffers[CACHE_MEDIUM_BUFFERS];
    struct buffer_cache *cache = cache_for(thread, heap);
    mb_buffer *cached = cache ? pop(cache, size_class) : NULL;
    if (!cache || cached) {
        return cached;
    }
    uint32_t room = (CACHE_MEDIUM_BYTES - cache->medium_bytes) / size_class_bytes[size_class];
    uint32_t batch = room < CACHE_MEDIUM_BUFFERS / 2 ? room + 1 : CACHE_MEDIUM_BUFFERS / 2;
    return keep_others(cache, buffers, take_medium(heap, size_class, buffers, batch));
}

/* Gives the older half of a bin back to the heap. */
static void give_half(struct buffer_cache *cache, unsigned size_class, struct heap *heap)
{
    struct cache_bin *bin = &cache->bins[size_class];
    unsigned half = (bin->count + 1) / 2;
    give_to_heap(heap, bin->buffers, half);
    bin->count -= half;
    for (unsigned i = 0; i < bin->count; i++) {
        bin->buffers[i] = bin->buffers[i + half];
    }
    if (size_class_is_medium(size_class)) {
        cache->medium_bytes -= half * size_class_bytes[size_class];
    }
}

static bool has_room(const struct buffer_cache *cache, const mb_buffer *buffer)
{
    const struct cache_bin *bin = &cache->bins[buffer->size_class];
    return bin->count < bin->capacity &&
           (!buffer_is_large(buffer) ||
            cache->medium_bytes + size_class_bytes[buffer->size_class] <= CACHE_MEDIUM_BYTES);
}

void cache_give(mb_buffer *buffer)
{
    struct buffer_cache *cache = thread_self ? thread_self->cache : NULL;
    struct heap *heap = buffer_heap(buffer);
    bool is_ours = cache && cache->serial == heap->serial && buffer->tag != TAG_NONE;
    if (is_ours && !has_room(cache, buffer) && cache->bins[buffer->size_class].count > 0) {
        give_half(cache, buffer->size_class, heap);
    }
    if (is_ours && has_room(cache, buffer)) {
        push(cache, buffer);
    } else {
        give_to_heap(heap, &buffer, 1);
    }
}

void cache_flush(const mb_client *client)
{
    struct buffer_cache *cache = thread_self ? thread_self->cache : NULL;
    struct heap *heap = heap_of(client->heaps, location_cached());
    if (cache && cache->serial == heap->serial) {
        empty(cache, heap);
    }
}

void cache_end_thread(struct thread *thread)
{
    struct buffer_cache *cache = thread->cache;
    if (cache && registry_has(cache->client, cache->client_serial)) {
        empty(cache, heap_of(cache->client->heaps, location_cached()));
    }
    if (cache) {
        LIST_REMOVE(cache, in_process);
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
