/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's cache of buffers. */
#include "client/buffer/cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "client/buffer/losses.h"
#include "client/buffer/supply.h"
#include "client/location.h"
#include "client/registry.h"

mb_buffer cache_bottom;

/* No client has its epoch, and no buffer its tag. */
static struct buffer_cache closed = {.alive = (uint64_t)TAG_UNBOUND << STATE_TAG_AT};

_Thread_local struct buffer_cache *cache_open = &closed;

void cache_update(struct thread *thread)
{
    cache_open = thread->buffer_scope || !thread->cache ? &closed : thread->cache;
}

/* ---- the caches of this process ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* taken before a heap's */
static LIST_HEAD(cache_list, buffer_cache) caches = LIST_HEAD_INITIALIZER(caches);

/* A thread that the child lacks may have held the lock. */
static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    LIST_INIT(&caches);
}

__attribute__((constructor)) static void cache_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

void cache_unbind(const struct heap *heap)
{
    struct buffer_cache *cache;
    (void)pthread_mutex_lock(&lock);
    LIST_FOREACH(cache, &caches, in_process) {
        if (cache->serial == heap->serial) {
            atomic_store(&cache->alive, closed.alive);
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

static void return_large(struct buffer_cache *cache, struct heap *heap)
{
    mb_buffer *buffer = atomic_exchange(&cache->large, NULL);
    if (buffer) {
        supply_give(heap, &buffer, 1);
    }
}

void cache_return_large(struct heap *heap)
{
    struct buffer_cache *cache;
    (void)pthread_mutex_lock(&lock);
    LIST_FOREACH(cache, &caches, in_process) {
        if (cache->serial == heap->serial) {
            return_large(cache, heap);
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

/* ---- bins ---- */

static uint32_t capacity_of(unsigned size_class)
{
    uint32_t bytes = size_class_bytes[size_class];
    uint32_t capacity = size_class < SMALL_CLASSES ? CACHE_BIN_BYTES / bytes : CACHE_MEDIUM_BUFFERS;
    return capacity > CACHE_BIN_BUFFERS ? CACHE_BIN_BUFFERS : capacity;
}

static unsigned batch_of(unsigned size_class)
{
    return (capacity_of(size_class) + 1) / 2;
}

static unsigned count_of(const struct buffer_cache *cache, unsigned size_class)
{
    return (unsigned)(cache->bins[size_class].top - cache->firsts[size_class]);
}

static mb_buffer *pop(struct buffer_cache *cache, unsigned size_class)
{
    if (count_of(cache, size_class) == 0) {
        return NULL;
    }
    if (size_class_is_medium(size_class)) {
        cache->medium_bytes -= size_class_bytes[size_class];
    }
    return *--cache->bins[size_class].top;
}

static bool has_room(const struct buffer_cache *cache, unsigned size_class)
{
    const struct cache_bin *bin = &cache->bins[size_class];
    return bin->top < bin->end && (!size_class_is_medium(size_class) ||
                                   cache->medium_bytes + size_class_bytes[size_class] <= CACHE_MEDIUM_BYTES);
}

static void push(struct buffer_cache *cache, unsigned size_class, mb_buffer *buffer)
{
    if (size_class_is_medium(size_class)) {
        cache->medium_bytes += size_class_bytes[size_class];
    }
    *cache->bins[size_class].top++ = buffer;
}

/* Gives the older ones away. */
static void give_oldest(struct buffer_cache *cache, struct heap *heap, unsigned size_class, unsigned count)
{
    mb_buffer **first = cache->firsts[size_class];
    const struct depot_gift gift = {.buffers = first, .size_class = size_class, .count = count, .epoch = cache->epoch};
    supply_give_batch(heap, &gift);
    cache->bins[size_class].top -= count;
    for (mb_buffer **place = first; place < cache->bins[size_class].top; place++) {
        *place = place[count];
    }
    if (size_class_is_medium(size_class)) {
        cache->medium_bytes -= count * size_class_bytes[size_class];
    }
}

/* ---- binding a cache to a heap ---- */

/* To the heap itself. */
static void empty(struct buffer_cache *cache, struct heap *heap)
{
    return_large(cache, heap);
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        unsigned count = count_of(cache, i);
        if (count > 0) {
            supply_give(heap, cache->firsts[i], count);
            cache->bins[i].top = cache->firsts[i];
        }
    }
    cache->medium_bytes = 0;
}

/* Forgets the buffers of the heap before: that heap is gone, or has them back. */
static void bind(struct buffer_cache *cache, struct heap *heap)
{
    supply_begin(heap);
    const struct known_valid valid = losses_note(heap);
    (void)pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        cache->bins[i].top = cache->firsts[i];
    }
    atomic_store(&cache->large, NULL);
    cache->medium_bytes = 0;
    cache->serial = heap->serial;
    cache->client = heap->client;
    cache->client_serial = heap->client->serial;
    cache->epoch = valid.epoch;
    atomic_store(&cache->alive, valid.tag == TAG_NONE ? closed.alive : buffer_state_of(0, valid.tag) | 1);
    (void)pthread_mutex_unlock(&lock);
}

static size_t places_of_all(void)
{
    size_t places = 0;
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        places += 1 + capacity_of(i);
    }
    return places;
}

static void make_bins(struct buffer_cache *cache)
{
    mb_buffer **place = cache->places;
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        *place++ = &cache_bottom;
        cache->firsts[i] = place;
        place += capacity_of(i);
        cache->bins[i] = (struct cache_bin){.top = cache->firsts[i], .end = place};
    }
}

static struct buffer_cache *cache_new(struct thread *thread)
{
    struct buffer_cache *cache = calloc(1, sizeof *cache + places_of_all() * sizeof(mb_buffer *));
    if (cache) {
        make_bins(cache);
        cache->sentence = thread->sentence;
        atomic_store(&cache->alive, closed.alive);
        (void)pthread_mutex_lock(&lock);
        LIST_INSERT_HEAD(&caches, cache, in_process);
        (void)pthread_mutex_unlock(&lock);
    }
    return cache;
}

/* A new cache for the thread, for this heap. NULL: out of memory. */
static struct buffer_cache *open_cache(struct thread *thread, struct heap *heap)
{
    thread->cache = cache_new(thread);
    if (thread->cache) {
        bind(thread->cache, heap);
        cache_update(thread);
    }
    return thread->cache;
}

static bool is_bound_elsewhere(const struct buffer_cache *cache, const struct heap *heap)
{
    return cache->serial != heap->serial && registry_finds(cache->client, cache->client_serial);
}

/* What it has may lie in a lost lease. */
static void renew(struct buffer_cache *cache, struct heap *heap)
{
    if (!cache_serves(cache, heap->client)) {
        empty(cache, heap);
        bind(cache, heap);
    }
}

static bool is_bound(const struct buffer_cache *cache)
{
    return atomic_load(&cache->alive) != closed.alive;
}

/* The thread's cache, made if needed. NULL: it can't serve this heap. */
static struct buffer_cache *cache_for(struct thread *thread, struct heap *heap)
{
    struct buffer_cache *cache = thread->cache;
    if (heap_tag(heap) == TAG_NONE || (cache && is_bound_elsewhere(cache, heap))) {
        return NULL;
    }
    if (!cache) {
        cache = open_cache(thread, heap);
    } else if (cache->serial != heap->serial) {
        bind(cache, heap);
    } else {
        renew(cache, heap);
    }
    return cache && is_bound(cache) ? cache : NULL;
}

/* The same for a buffer that is freed, when no lock may be taken that the end of a thread or a client holds. */
static struct buffer_cache *cache_for_freed(struct heap *heap)
{
    struct thread *thread = heap_tag(heap) == TAG_NONE ? NULL : thread_get();
    struct buffer_cache *cache = thread ? thread->cache : NULL;
    if (thread && !cache) {
        cache = open_cache(thread, heap);
    } else if (cache && cache->serial == heap->serial) {
        renew(cache, heap);
    }
    return cache && cache->serial == heap->serial && is_bound(cache) ? cache : NULL;
}

/* ---- taking ---- */

/* Returns the first, and keeps the others. */
static mb_buffer *keep_others(struct buffer_cache *cache, struct heap *heap, mb_buffer *const *buffers, unsigned count)
{
    for (unsigned i = count; i-- > 1;) {
        unsigned size_class = buffer_class(buffers[i]);
        if (has_room(cache, size_class)) {
            push(cache, size_class, buffers[i]);
        } else {
            supply_give(heap, &buffers[i], 1);
        }
    }
    return count > 0 ? buffers[0] : NULL;
}

mb_buffer *cache_take_small(struct thread *thread, struct heap *heap, unsigned size_class, bool may_ask)
{
    mb_buffer *buffers[DEPOT_BATCH_MAX];
    struct buffer_cache *cache = cache_for(thread, heap);
    mb_buffer *cached = cache ? pop(cache, size_class) : NULL;
    if (cached) {
        return cached;
    }
    int taken = cache ? (int)supply_take_batch(heap, size_class, buffers) : 0;
    if (taken == 0) {
        taken = supply_take_small(heap, size_class, may_ask, buffers, cache ? batch_of(size_class) : 1);
    }
    if (taken <= 0) {
        return NULL;
    }
    return cache ? keep_others(cache, heap, buffers, (unsigned)taken) : buffers[0];
}

mb_buffer *cache_take_medium(struct thread *thread, struct heap *heap, unsigned size_class)
{
    mb_buffer *buffers[DEPOT_BATCH_MAX];
    struct buffer_cache *cache = cache_for(thread, heap);
    mb_buffer *cached = cache ? pop(cache, size_class) : NULL;
    if (!cache || cached) {
        return cached;
    }
    unsigned taken = supply_take_batch(heap, size_class, buffers);
    if (taken == 0) {
        uint32_t room = (CACHE_MEDIUM_BYTES - cache->medium_bytes) / size_class_bytes[size_class];
        taken = supply_take_medium(heap, size_class, buffers,
                                   room < batch_of(size_class) ? room + 1 : batch_of(size_class));
    }
    return keep_others(cache, heap, buffers, taken);
}

/* Whether a block of so many pages is not much larger than it has to be. */
static bool is_about(uint64_t has, size_t bytes)
{
    uint64_t pages = bytes / HEAP_PAGE_BYTES + (bytes % HEAP_PAGE_BYTES > 0);
    return has >= pages && has - pages <= pages / 8;
}

mb_buffer *cache_pop_large(const mb_client *client, size_t bytes)
{
    struct buffer_cache *cache = cache_open;
    mb_buffer *buffer = NULL;
    if (!cache_serves(cache, client)) {
        return NULL;
    }
    if (is_about(cache->large_pages, bytes)) {
        buffer = atomic_load_explicit(&cache->large, memory_order_relaxed)
                     ? atomic_exchange_explicit(&cache->large, NULL, memory_order_acquire)
                     : NULL;
    }
    if (buffer) {
        uint64_t alive = atomic_load_explicit(&cache->alive, memory_order_relaxed);
        uint64_t size_class = (uint64_t)buffer_class(buffer) << STATE_CLASS_AT;
        __atomic_store_n(&buffer->head.size, bytes, __ATOMIC_RELAXED);
        atomic_store_explicit(&buffer->state, alive | size_class, memory_order_relaxed);
        cache->sentence[0] = '\0';
    }
    return buffer;
}

/* ---- giving ---- */

static void give_large(struct buffer_cache *cache, struct heap *heap, mb_buffer *buffer)
{
    uint32_t pages = buffer_span(buffer)->pages;
    mb_buffer *before = atomic_exchange_explicit(&cache->large, buffer, memory_order_acq_rel);
    cache->large_pages = pages;
    if (before) {
        supply_give(heap, &before, 1);
    }
    heap_plan_return(heap);
}

static void give(struct buffer_cache *cache, struct heap *heap, mb_buffer *buffer)
{
    unsigned size_class = buffer_class(buffer);
    if (size_class == SIZE_CLASS_NONE) {
        give_large(cache, heap, buffer);
        return;
    }
    if (!has_room(cache, size_class) && count_of(cache, size_class) > 0) {
        give_oldest(cache, heap, size_class, (count_of(cache, size_class) + 1) / 2);
    }
    if (has_room(cache, size_class)) {
        push(cache, size_class, buffer);
    } else {
        supply_give(heap, &buffer, 1);
    }
}

bool cache_push_large(mb_buffer *buffer)
{
    struct buffer_cache *cache = cache_open;
    uint64_t state = atomic_load_explicit(&buffer->state, memory_order_acquire);
    uint64_t other = state ^ atomic_load_explicit(&cache->alive, memory_order_relaxed);
    if ((other & ~(UINT64_C(255) << STATE_CLASS_AT)) != 0 || !cache_serves(cache, cache->client)) {
        return false;
    }
    buffer_set_references(buffer, 0);
    give(cache, buffer_heap(buffer), buffer);
    return true;
}

/* The lease is looked at after the cache was bound: what is put into it was valid then. */
void cache_give(mb_buffer *buffer)
{
    struct heap *heap = buffer_heap(buffer);
    struct buffer_cache *cache = buffer_tag(buffer) == TAG_NONE ? NULL : cache_for_freed(heap);
    if (cache && mb_lease_end_reason(buffer_lease(buffer)) == MB_END_NONE) {
        give(cache, heap, buffer);
    } else {
        supply_give(heap, &buffer, 1);
    }
}

/* ---- ending ---- */

void cache_flush(const mb_client *client)
{
    struct buffer_cache *cache = thread_self ? thread_self->cache : NULL;
    struct heap *heap = heap_of(client->heaps, location_cached());
    if (cache && cache->serial == heap->serial) {
        empty(cache, heap);
    }
}

/* To other threads as far as possible. */
static void hand_over(struct buffer_cache *cache, struct heap *heap)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        unsigned count;
        while ((count = count_of(cache, i)) > 0) {
            give_oldest(cache, heap, i, count < batch_of(i) ? count : batch_of(i));
        }
    }
    return_large(cache, heap);
}

void cache_end_thread(struct thread *thread)
{
    struct buffer_cache *cache = thread->cache;
    if (cache && registry_has(cache->client, cache->client_serial)) {
        hand_over(cache, heap_of(cache->client->heaps, location_cached()));
    }
    if (cache) {
        (void)pthread_mutex_lock(&lock);
        LIST_REMOVE(cache, in_process);
        (void)pthread_mutex_unlock(&lock);
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
