/* SPDX-License-Identifier: Apache-2.0 */
/* Heaps: making them, giving back what is free. */
#include "client/buffer/heap.h"

#include <stdlib.h>

#include "client/buffer/buffer.h"
#include "client/buffer/cache.h"
#include "client/client.h"
#include "client/misuse.h"
#include "client/thread.h"

#define MIB UINT64_C(1048576)

uint64_t heaps_new_number(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

static void pool_init(struct pool *pool, struct heap *heap, uint64_t least, uint64_t most)
{
    *pool = (struct pool){.heap = heap, .chunk_bytes_min = least, .chunk_bytes_max = most};
    TAILQ_INIT(&pool->chunks);
    RB_INIT(&pool->free);
}

struct heaps *heaps_new(mb_client *client)
{
    struct heaps *heaps = calloc(1, sizeof *heaps);
    if (!heaps) {
        return NULL;
    }
    atomic_store(&heaps->idle_at, UINT64_MAX);
    atomic_store(&client->buffer_epoch, heaps_new_number());
    for (int i = 0; i < HEAP_LOCATIONS; i++) {
        struct heap *heap = &heaps->of[i];
        (void)pthread_mutex_init(&heap->lock, NULL);
        heap->serial = heaps_new_number();
        heap->client = client;
        heap->location = (mb_location)(MB_LOCATION_RAM + i);
        heap->catch_misuse = client->flags & MB_CLIENT_CATCH_MISUSE;
        pool_init(&heap->small, heap, MIB, 8 * MIB);
        pool_init(&heap->large, heap, 4 * MIB, 64 * MIB);
        TAILQ_INIT(&heap->listings);
    }
    return heaps;
}

/* ---- taking down ---- */

static void chunk_free(struct chunk *chunk)
{
    uint32_t page = 0;
    while (page < chunk->pages) {
        struct span *span = chunk->map[page];
        page += span->pages;
        slab_free(span->slab);
        free(span);
    }
    if (chunk->pool->heap->catch_misuse) {
        misuse_forget(chunk->base, (size_t)chunk->pages * HEAP_PAGE_BYTES);
    }
    free(chunk->map);
    free(chunk);
}

static void pool_free(struct pool *pool)
{
    struct chunk *chunk = TAILQ_FIRST(&pool->chunks), *next;
    for (; chunk; chunk = next) {
        next = TAILQ_NEXT(chunk, in_pool);
        chunk_free(chunk);
    }
    free(pool->spare);
}

void heaps_free(struct heaps *heaps)
{
    for (int i = 0; heaps && i < HEAP_LOCATIONS; i++) {
        struct heap *heap = &heaps->of[i];
        struct listing *listing = TAILQ_FIRST(&heap->listings), *next;
        for (; listing; listing = next) {
            next = TAILQ_NEXT(listing, in_heap);
            free(listing->large ? listing->large : listing);
        }
        large_flush(heap, 0);
        pool_free(&heap->small);
        pool_free(&heap->large);
        (void)pthread_mutex_destroy(&heap->lock);
    }
    free(heaps);
}

/* ---- giving back ---- */

/* Moves the chunks that have been free since `since` or longer to `ret`. Returns when the next one will have been. */
static uint64_t collect_idle(struct pool *pool, uint64_t now, uint64_t age, struct chunk_list *ret)
{
    uint64_t due = UINT64_MAX;
    struct chunk *chunk = TAILQ_FIRST(&pool->chunks);
    while (chunk) {
        struct chunk *next = TAILQ_NEXT(chunk, in_pool);
        if (chunk->used_pages == 0 && (chunk->is_lost || chunk->idle_since + age <= now)) {
            chunk_withdraw(chunk);
            TAILQ_REMOVE(&pool->chunks, chunk, in_pool);
            TAILQ_INSERT_TAIL(ret, chunk, in_pool);
            pool->leased_bytes -= (uint64_t)chunk->pages * HEAP_PAGE_BYTES;
        } else if (chunk->used_pages == 0 && chunk->idle_since + age < due) {
            due = chunk->idle_since + age;
        }
        chunk = next;
    }
    return due;
}

static uint64_t release_all(struct chunk_list *chunks)
{
    uint64_t bytes = 0;
    struct chunk *chunk = TAILQ_FIRST(chunks), *next;
    for (; chunk; chunk = next) {
        mb_lease *lease = chunk->lease;
        next = TAILQ_NEXT(chunk, in_pool);
        bytes += (uint64_t)chunk->pages * HEAP_PAGE_BYTES;
        chunk_free(chunk);
        lease_drop(lease);
    }
    return bytes;
}

/* True: whoever tends the client must wake up earlier than was planned. */
static bool note_idle(struct heaps *heaps, uint64_t due)
{
    uint64_t before = atomic_load(&heaps->idle_at);
    while (due < before) {
        if (atomic_compare_exchange_weak(&heaps->idle_at, &before, due)) {
            return true;
        }
    }
    return false;
}

static uint64_t give_back(struct heaps *heaps, uint64_t now, uint64_t age)
{
    struct chunk_list idle = TAILQ_HEAD_INITIALIZER(idle);
    uint64_t due = UINT64_MAX;
    atomic_store(&heaps->idle_at, UINT64_MAX);
    for (int i = 0; i < HEAP_LOCATIONS; i++) {
        struct heap *heap = &heaps->of[i];
        (void)pthread_mutex_lock(&heap->lock);
        large_flush(heap, now > age ? now - age : 1);
        uint64_t small = collect_idle(&heap->small, now, age, &idle);
        uint64_t large = collect_idle(&heap->large, now, age, &idle);
        (void)pthread_mutex_unlock(&heap->lock);
        due = small < due ? small : due;
        due = large < due ? large : due;
    }
    (void)note_idle(heaps, due);
    return release_all(&idle);
}

void heap_unlock(struct heap *heap)
{
    uint64_t idle_since = heap->idle_since;
    heap->idle_since = 0;
    (void)pthread_mutex_unlock(&heap->lock);
    if (idle_since && note_idle(heap->client->heaps, idle_since + HEAP_IDLE_MS)) {
        background_wake(heap->client);
    }
}

uint64_t heaps_trim(mb_client *client)
{
    buffer_cache_flush(client);
    return give_back(client->heaps, client_milliseconds(), 0);
}

void heaps_tend(mb_client *client, uint64_t now)
{
    if (atomic_load(&client->heaps->idle_at) <= now) {
        bool at_once = atomic_exchange(&client->heaps->trim_wanted, false);
        (void)give_back(client->heaps, now, at_once ? 0 : HEAP_IDLE_MS);
    }
}

uint64_t heaps_due(const struct heaps *heaps)
{
    return atomic_load(&heaps->idle_at);
}

void heaps_want_trim(struct heaps *heaps)
{
    atomic_store(&heaps->trim_wanted, true);
    atomic_store(&heaps->idle_at, 0);
}

void mb_trim(mb_client *client)
{
    if (client_check_process(client) == 0) {
        (void)heaps_trim(client);
    }
}

void heaps_add_holders(mb_client *client, struct local_holder *holders)
{
    for (int i = 0; i < HEAP_LOCATIONS; i++) {
        struct heap *heap = &client->heaps->of[i];
        const struct listing *listing;
        (void)pthread_mutex_lock(&heap->lock);
        TAILQ_FOREACH(listing, &heap->listings, in_heap) {
            holders_add(holders, "buffer", listing->name, listing->buffer->head.size);
        }
        (void)pthread_mutex_unlock(&heap->lock);
    }
}
