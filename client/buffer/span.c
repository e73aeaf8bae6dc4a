/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks and spans: best fit among the free spans of a pool, joined with their neighbours when they are given back.
 */
#include <errno.h>
#include <stdlib.h>

#include "client/buffer/buffer.h"
#include "client/buffer/heap.h"
#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/reclaim.h"

static int span_compare(const struct span *a, const struct span *b)
{
    if (a->pages != b->pages) {
        return a->pages < b->pages ? -1 : 1;
    }
    const char *left = a->chunk ? span_data(a) : NULL, *right = b->chunk ? span_data(b) : NULL;
    return (left > right) - (left < right);
}

TREE_GENERATE(span_tree, span, in_free, span_compare)

void *span_data(const struct span *span)
{
    return span->chunk->base + (size_t)span->first * HEAP_PAGE_BYTES;
}

/* ---- the map and the tree ---- */

static void map_span(struct span *span)
{
    span->chunk->map[span->first] = span;
    span->chunk->map[span->first + span->pages - 1] = span;
}

static void file_free(struct span *span)
{
    span->is_free = true;
    map_span(span);
    if (!span->chunk->is_lost) {
        RB_INSERT(span_tree, &span->chunk->pool->free, span);
    }
}

static void unfile(struct span *span)
{
    span->is_free = false;
    if (!span->chunk->is_lost) {
        RB_REMOVE(span_tree, &span->chunk->pool->free, span);
    }
}

/* Takes the free spans of a chunk out of the tree: nothing is allocated from it any more. */
void chunk_withdraw(struct chunk *chunk)
{
    if (chunk->is_lost) {
        return;
    }
    for (uint32_t page = 0; page < chunk->pages; page += chunk->map[page]->pages) {
        if (chunk->map[page]->is_free) {
            RB_REMOVE(span_tree, &chunk->pool->free, chunk->map[page]);
        }
    }
    chunk->is_lost = true;
}

/* ---- taking ---- */

/* The best fit in a chunk whose lease is alive. */
static struct span *best_fit(struct pool *pool, uint32_t pages)
{
    struct span wanted = {.pages = pages};
    for (;;) {
        struct span *span = RB_NFIND(span_tree, &pool->free, &wanted);
        if (!span || mb_lease_end_reason(span->chunk->lease) == MB_END_NONE) {
            return span;
        }
        chunk_withdraw(span->chunk);
    }
}

static struct span *new_span(struct pool *pool)
{
    struct span *span = pool->spare ? pool->spare : malloc(sizeof *span);
    pool->spare = NULL;
    return span;
}

struct span *span_take(struct pool *pool, uint32_t pages, uint32_t *ret_fresh)
{
    struct span *span = best_fit(pool, pages);
    if (!span) {
        return NULL;
    }
    struct chunk *chunk = span->chunk;
    struct span *rest = span->pages > pages ? new_span(pool) : NULL;
    unfile(span);
    if (rest) {
        *rest = (struct span){.chunk = chunk, .first = span->first + pages, .pages = span->pages - pages};
        span->pages = pages;
        file_free(rest);
    }
    map_span(span);
    chunk->used_pages += span->pages;
    *ret_fresh = chunk->fresh > span->first ? chunk->fresh - span->first : 0;
    if (span->first + span->pages > chunk->fresh) {
        chunk->fresh = span->first + span->pages;
    }
    return span;
}

/* ---- giving ---- */

static struct span *join(struct span *left, struct span *right)
{
    struct pool *pool = left->chunk->pool;
    left->pages += right->pages;
    free(pool->spare);
    pool->spare = right;
    return left;
}

void span_give(struct span *span, uint64_t since)
{
    struct chunk *chunk = span->chunk;
    chunk->used_pages -= span->pages;
    if (span->first + span->pages < chunk->pages && chunk->map[span->first + span->pages]->is_free) {
        struct span *right = chunk->map[span->first + span->pages];
        unfile(right);
        span = join(span, right);
    }
    if (span->first > 0 && chunk->map[span->first - 1]->is_free) {
        struct span *left = chunk->map[span->first - 1];
        unfile(left);
        span = join(left, span);
    }
    file_free(span);
    if (chunk->used_pages == 0) {
        chunk->idle_since = chunk->pool->heap->idle_since = since ? since : client_milliseconds();
    }
}

/* ---- growing ---- */

static struct chunk *chunk_new(struct pool *pool, uint64_t bytes)
{
    uint32_t pages = (uint32_t)(bytes / HEAP_PAGE_BYTES);
    struct chunk *chunk = calloc(1, sizeof *chunk);
    struct span *span = calloc(1, sizeof *span);
    struct span **map = calloc(pages, sizeof(struct span *));
    if (!chunk || !span || !map) {
        free(chunk);
        free(span);
        free(map);
        (void)error_set(-ENOMEM, "out of memory for the library's own tables");
        return NULL;
    }
    *chunk = (struct chunk){.pool = pool, .pages = pages, .map = map};
    *span = (struct span){.chunk = chunk, .pages = pages, .is_free = true};
    map[0] = map[pages - 1] = span;
    return chunk;
}

static void discard(struct chunk *chunk)
{
    free(chunk->map[0]);
    free(chunk->map);
    free(chunk);
}

static int add_chunk(struct pool *pool, uint64_t bytes, bool wished)
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
    int result = (wished ? reclaim_try : reclaim_acquire)(heap->client, bytes, &options, &chunk->lease, &address);
    if (result < 0) {
        discard(chunk);
        return result;
    }
    chunk->base = address;
    if (heap->catch_misuse) {
        misuse_dead(address, bytes);
    }
    (void)pthread_mutex_lock(&heap->lock);
    TAILQ_INSERT_TAIL(&pool->chunks, chunk, in_pool);
    RB_INSERT(span_tree, &pool->free, chunk->map[0]);
    pool->leased_bytes += bytes;
    chunk->idle_since = heap->idle_since = client_milliseconds(); /* another thread may have found room meanwhile */
    heap_unlock(heap);
    return 0;
}

/* A quarter more of what the pool has, in whole MiB: few leases, and little that is leased for nothing. */
static uint64_t wished_bytes(const struct pool *pool, uint64_t needed)
{
    uint64_t wished = pool->leased_bytes / 4 & ~((UINT64_C(1) << 20) - 1);
    wished = wished < pool->chunk_bytes_min ? pool->chunk_bytes_min : wished;
    wished = wished > pool->chunk_bytes_max ? pool->chunk_bytes_max : wished;
    return wished < needed ? needed : wished;
}

int pool_grow(struct pool *pool, uint32_t pages)
{
    uint64_t needed = (uint64_t)pages * HEAP_PAGE_BYTES;
    (void)pthread_mutex_lock(&pool->heap->lock);
    uint64_t wished = wished_bytes(pool, needed);
    (void)pthread_mutex_unlock(&pool->heap->lock);
    int result = wished > needed ? add_chunk(pool, wished, true) : -ENOMEM;
    return result == -ENOMEM || result == -ENOSPC ? add_chunk(pool, needed, false) : result;
}
