/* SPDX-License-Identifier: Apache-2.0 */
/* A client's heaps: making them, ending them, giving back what is free. The client calls all this through layers.h. */
#include <errno.h>
#include <stdlib.h>

#include "client/buffer/buffer.h"
#include "client/buffer/cache.h"
#include "client/buffer/large.h"
#include "client/buffer/pool.h"
#include "client/buffer/slab.h"
#include "client/buffer/supply.h"
#include "client/buffer/tag.h"
#include "client/buffer/weak.h"
#include "client/client.h"
#include "client/clock.h"
#include "client/layers.h"
#include "client/location.h"
#include "client/registry.h"

#define MIB UINT64_C(1048576)

/* ---- making and ending ---- */

/* It is held for less time than it takes to sleep, so a thread that finds it taken spins for a moment. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    (void)pthread_mutex_init(lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
}

static void heap_init(struct heap *heap, mb_client *client, mb_location location)
{
    init_lock(&heap->lock);
    heap->serial = registry_new_number();
    heap->client = client;
    heap->location = location;
    heap->catch_misuse = client->options.flags & MB_CLIENT_CATCH_MISUSE;
    const struct pool small = {.chunk_bytes_min = MIB, .chunk_bytes_max = 8 * MIB, .chunk_share = 16};
    const struct pool large = {.chunk_bytes_min = 4 * MIB, .chunk_bytes_max = 64 * MIB, .chunk_share = 8};
    pool_init(&heap->small, heap, &small);
    pool_init(&heap->large, heap, &large);
    TAILQ_INIT(&heap->listed);
    TAILQ_INIT(&heap->all_kept);
    TAILQ_INIT(&heap->unused);
    for (int i = 0; i < HEAP_KEPT_CLASSES; i++) {
        TAILQ_INIT(&heap->kept[i]);
    }
    heap->newest_tag = location == location_cached() && !heap->catch_misuse ? tag_take_after(TAG_NONE) : TAG_NONE;
    atomic_store(&heap->tag, heap->newest_tag);
}

static int heaps_open(mb_client *client)
{
    struct heaps *heaps = client->heaps = calloc(1, sizeof *heaps);
    if (!heaps) {
        return -ENOMEM;
    }
    atomic_store(&heaps->idle_at, UINT64_MAX);
    for (int i = 0; i < HEAP_LOCATIONS; i++) {
        heap_init(&heaps->of[i], client, location_at(i));
    }
    return 0;
}

static void end_large(struct large_buffer *large)
{
    if (buffer_has(&large->buffer, BUFFER_WEAK)) {
        weak_cut(&large->buffer);
    }
    free(large);
}

static void heap_close(struct heap *heap)
{
    struct extra *extra = TAILQ_FIRST(&heap->listed), *next;
    cache_unbind(heap);
    for (; extra; extra = next) {
        next = TAILQ_NEXT(extra, in_heap);
        if (buffer_is_large(extra->buffer)) {
            end_large(buffer_large(extra->buffer));
        }
    }
    large_close(heap);
    slabs_close(heap);
    pool_close(&heap->small);
    pool_close(&heap->large);
    chunk_index_close(&heap->chunks);
    depot_free(atomic_load(&heap->depot));
    tag_give_all(heap->newest_tag);
    (void)pthread_mutex_destroy(&heap->lock);
}

static void heaps_close(mb_client *client)
{
    for (int i = 0; client->heaps && i < HEAP_LOCATIONS; i++) {
        heap_close(&client->heaps->of[i]);
    }
    free(client->heaps);
    client->heaps = NULL;
}

/* ---- giving back ---- */

/* What is on its way from thread to thread. */
static void return_to_heap(struct heap *heap)
{
    cache_return_large(heap);
    supply_drain(heap);
}

static uint64_t give_back(struct heaps *heaps, uint64_t age)
{
    struct chunk_list idle = TAILQ_HEAD_INITIALIZER(idle);
    uint64_t due = UINT64_MAX;
    atomic_store(&heaps->idle_at, UINT64_MAX);
    for (int i = 0; i < HEAP_LOCATIONS; i++) {
        struct heap *heap = &heaps->of[i];
        return_to_heap(heap);
        uint64_t now = clock_milliseconds(); /* no chunk is idle from a later time on */
        (void)pthread_mutex_lock(&heap->lock);
        large_flush(heap, now > age ? now - age : 1, age > 0);
        uint64_t small = pool_collect_idle(&heap->small, now, age, &idle);
        uint64_t large = pool_collect_idle(&heap->large, now, age, &idle);
        if (heap->kept_pages > 0 && now + HEAP_IDLE_MS / 2 < due) {
            due = now + HEAP_IDLE_MS / 2;
        }
        (void)pthread_mutex_unlock(&heap->lock);
        due = small < due ? small : due;
        due = large < due ? large : due;
    }
    (void)heap_plan_look(heaps, due);
    return pool_release(&idle);
}

/* Every chunk that is free, the calling thread's cached buffers included. */
static uint64_t heaps_trim(mb_client *client)
{
    cache_flush(client);
    return give_back(client->heaps, 0);
}

static void heaps_maintain(mb_client *client, uint64_t now, enum trim_wish wish)
{
    if (wish == TRIM_ASKED || heap_next_look(client->heaps) <= now) {
        (void)give_back(client->heaps, wish == TRIM_ASKED ? 0 : HEAP_IDLE_MS);
    }
}

static uint64_t heaps_due(const mb_client *client)
{
    return heap_next_look(client->heaps);
}

static void heaps_add_holders(mb_client *client, struct local_holder *holders)
{
    for (int i = 0; i < HEAP_LOCATIONS; i++) {
        struct heap *heap = &client->heaps->of[i];
        const struct extra *extra;
        (void)pthread_mutex_lock(&heap->lock);
        TAILQ_FOREACH(extra, &heap->listed, in_heap) {
            if (buffer_references(extra->buffer) > 0) {
                holders_add(holders, "buffer", extra->name,
                            __atomic_load_n(&extra->buffer->head.size, __ATOMIC_RELAXED));
            }
        }
        (void)pthread_mutex_unlock(&heap->lock);
    }
}

/* ---- registering ---- */

__attribute__((constructor)) static void heaps_register(void)
{
    static const struct layer_operations operations = {
        .open = heaps_open,
        .close = heaps_close,
        .due = heaps_due,
        .maintain = heaps_maintain,
        .trim = heaps_trim,
        .add_holders = heaps_add_holders,
        .end_thread = cache_end_thread,
        .fork_child = cache_forget,
    };
    layers_register(LAYER_BUFFERS, &operations);
}
