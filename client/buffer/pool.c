/* SPDX-License-Identifier: Apache-2.0 */
/* Leases chunks for a heap, and gives back those that are idle. */
#include "client/buffer/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "client/buffer/span.h"
#include "client/client.h"
#include "client/clock.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/reclaim.h"
#include "client/release.h"

enum { DEPOT_SHARE = 32, DEPOT_BYTES_MIN = 1 << 20 };

/* ---- chunks ---- */

static struct chunk *chunk_new(struct pool *pool, uint64_t bytes)
{
    uint32_t pages = (uint32_t)(bytes / HEAP_PAGE_BYTES);
    struct chunk *chunk = calloc(1, sizeof *chunk);
    struct span *span = calloc(1, sizeof *span);
    struct span **map = calloc(pages, sizeof(struct span *));
    struct span_starts *starts = calloc(pages / 64 + 1, sizeof *starts);
    if (!chunk || !span || !map || !starts) {
        free(starts);
        free(chunk);
        free(span);
        free(map);
        (void)error_no_memory();
        return NULL;
    }
    *chunk = (struct chunk){.pool = pool, .pages = pages, .map = map, .starts = starts};
    *span = (struct span){.chunk = chunk, .pages = pages, .is_free = true};
    map[0] = map[pages - 1] = span;
    return chunk;
}

/* The records of its spans are for later ones. The heap's lock is held, or the heap ends. */
static void recycle_spans(struct chunk *chunk)
{
    for (uint32_t page = 0; page < chunk->pages;) {
        struct span *span = chunk->map[page];
        page += span->pages;
        span->next_unused = chunk->pool->unused;
        chunk->pool->unused = span;
    }
}

static void chunk_free(struct chunk *chunk)
{
    if (chunk->pool->heap->catch_misuse) {
        misuse_forget(chunk->base, (size_t)chunk->pages * HEAP_PAGE_BYTES);
    }
    free(chunk->starts);
    free(chunk->map);
    free(chunk);
}

/* Frees a chunk that has no memory yet. */
static void discard(struct chunk *chunk)
{
    free(chunk->map[0]);
    free(chunk->starts);
    free(chunk->map);
    free(chunk);
}

/* ---- making and ending ---- */

void pool_init(struct pool *pool, struct heap *heap, const struct pool *chunks)
{
    *pool = *chunks;
    pool->heap = heap;
    TAILQ_INIT(&pool->chunks);
    RB_INIT(&pool->free);
}

void pool_close(struct pool *pool)
{
    struct chunk *chunk = TAILQ_FIRST(&pool->chunks), *next;
    for (; chunk; chunk = next) {
        next = TAILQ_NEXT(chunk, in_pool);
        recycle_spans(chunk);
        chunk_free(chunk);
    }
    while (pool->unused) {
        struct span *span = pool->unused;
        pool->unused = span->next_unused;
        free(span);
    }
}

/* ---- growing ---- */

/* The heap's lock is held. */
static void note_leased(struct pool *pool, uint64_t more)
{
    struct heap *heap = pool->heap;
    pool->leased_bytes += more;
    uint64_t share = (heap->small.leased_bytes + heap->large.leased_bytes) / DEPOT_SHARE;
    atomic_store_explicit(&heap->depot_bytes_max, share > DEPOT_BYTES_MIN ? share : DEPOT_BYTES_MIN,
                          memory_order_relaxed);
}

/* False: out of memory. With the heap's lock. */
static bool insert_chunk(struct pool *pool, struct chunk *chunk, uint64_t bytes)
{
    if (!chunk_index_add(&pool->heap->chunks, chunk, chunk->base, bytes)) {
        return false;
    }
    TAILQ_INSERT_TAIL(&pool->chunks, chunk, in_pool);
    span_add_chunk(chunk);
    note_leased(pool, bytes);
    chunk->idle_since = pool->heap->idle_since =
        clock_milliseconds(); /* it may stay unused: another thread may have found room */
    return true;
}

static int add_chunk(struct pool *pool, uint64_t bytes, bool is_wished)
{
    struct heap *heap = pool->heap;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    void *address;
    options.name = "buffers";
    options.location = heap->location;
    struct chunk *chunk = chunk_new(pool, bytes);
    if (!chunk) {
        return -ENOMEM;
    }
    int result = (is_wished ? reclaim_try : reclaim_acquire)(heap->client, bytes, &options, &chunk->lease, &address);
    if (result < 0) {
        discard(chunk);
        return result;
    }
    chunk->base = address;
    if (heap->catch_misuse) {
        misuse_dead(address, bytes);
    }
    (void)pthread_mutex_lock(&heap->lock);
    bool is_added = insert_chunk(pool, chunk, bytes);
    heap_unlock(heap);
    if (!is_added) {
        mb_lease *lease = chunk->lease;
        free(chunk->map[0]);
        chunk_free(chunk);
        release_drop(lease);
    }
    return is_added ? 0 : error_no_memory();
}

/* A share of what the pool has, in whole MiB: few leases, and little that is leased for nothing. */
static uint64_t wished_bytes(const struct pool *pool)
{
    uint64_t wished = pool->leased_bytes / pool->chunk_share & ~((UINT64_C(1) << 20) - 1);
    wished = wished < pool->chunk_bytes_min ? pool->chunk_bytes_min : wished;
    return wished > pool->chunk_bytes_max ? pool->chunk_bytes_max : wished;
}

int pool_grow(struct pool *pool, const struct span_wish *wish)
{
    uint64_t needed = (uint64_t)(wish->pages + wish->aligned - 1) * HEAP_PAGE_BYTES;
    (void)pthread_mutex_lock(&pool->heap->lock);
    uint64_t wished = wished_bytes(pool);
    (void)pthread_mutex_unlock(&pool->heap->lock);
    bool is_worth_it = wished >= (uint64_t)(wish->at_most + wish->aligned - 1) * HEAP_PAGE_BYTES;
    int result = is_worth_it ? add_chunk(pool, wished, true) : -ENOMEM;
    return result == -ENOMEM || result == -ENOSPC ? add_chunk(pool, needed, false) : result;
}

int pool_grow_fresh(struct pool *pool, const struct span_wish *wish)
{
    return add_chunk(pool, (uint64_t)(wish->pages + wish->aligned - 1) * HEAP_PAGE_BYTES, true);
}

int pool_refuse(void)
{
    return error_set(-EAGAIN,
                     "no free memory of this process fits, and MB_BUFFER_NO_WAIT forbids to ask the broker; try "
                     "again without it");
}

/* ---- giving back ---- */

uint64_t pool_collect_idle(struct pool *pool, uint64_t now, uint64_t age, struct chunk_list *ret)
{
    uint64_t due = UINT64_MAX;
    struct chunk *chunk = TAILQ_FIRST(&pool->chunks);
    while (chunk) {
        struct chunk *next = TAILQ_NEXT(chunk, in_pool);
        if (chunk->used_pages == 0 && (chunk->is_lost || chunk->idle_since + age <= now)) {
            span_withdraw_chunk(chunk);
            chunk_index_remove(&pool->heap->chunks, chunk->base);
            recycle_spans(chunk);
            TAILQ_REMOVE(&pool->chunks, chunk, in_pool);
            TAILQ_INSERT_TAIL(ret, chunk, in_pool);
            note_leased(pool, -((uint64_t)chunk->pages * HEAP_PAGE_BYTES));
        } else if (chunk->used_pages == 0 && chunk->idle_since + age < due) {
            due = chunk->idle_since + age;
        }
        chunk = next;
    }
    return due;
}

uint64_t pool_release(struct chunk_list *chunks)
{
    uint64_t bytes = 0;
    struct chunk *chunk = TAILQ_FIRST(chunks), *next;
    for (; chunk; chunk = next) {
        mb_lease *lease = chunk->lease;
        next = TAILQ_NEXT(chunk, in_pool);
        bytes += (uint64_t)chunk->pages * HEAP_PAGE_BYTES;
        chunk_free(chunk);
        release_drop(lease);
    }
    return bytes;
}
