/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of tracked buffers: leased chunks, cut into spans of whole pages; a span is one large buffer or a slab of
 * small ones. All bookkeeping lies in private memory, none in the leased: a lease may be lost at any time, and then
 * only the bytes are gone. A chunk that is all free is kept for a second, then given back to the broker.
 *
 * A client has one heap for each location. A heap's lock guards all of it, and is never held while the broker is asked.
 * client/BUFFERS.md says why this is neither jemalloc nor mimalloc, with the figures.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/buffer/size_class.h"
#include "client/holders.h"
#include "membroker.h"
#include "proto/base/tree.h"

enum { HEAP_PAGE_BYTES = 4096, HEAP_LOCATIONS = 3, HEAP_IDLE_MS = 1000, HEAP_RECENT = 8 };

struct span {
    struct chunk *chunk;
    uint32_t first, pages; /* of the chunk */
    bool is_free;
    struct slab *slab; /* NULL: free, or a large buffer's */
    RB_ENTRY(span) in_free;
};

struct chunk {
    struct pool *pool;
    mb_lease *lease;
    char *base;
    uint32_t pages, used_pages;
    uint32_t fresh; /* pages from here on have never been handed out: they are zero */
    bool is_lost;   /* nothing is allocated from it any more */
    uint64_t idle_since;
    struct span **map; /* of pages: a span's first and last page point to it */
    TAILQ_ENTRY(chunk) in_pool;
};

TAILQ_HEAD(chunk_list, chunk);
RB_HEAD(span_tree, span);

/* Slabs and large buffers have chunks of their own, so that a few small buffers don't keep a large chunk. */
struct pool {
    struct heap *heap;
    struct chunk_list chunks;
    struct span_tree free; /* by pages, then by address */
    uint64_t leased_bytes;
    uint64_t chunk_bytes_min, chunk_bytes_max;
    struct span *spare; /* for the next split; NULL: none */
};

LIST_HEAD(slab_list, slab);
TAILQ_HEAD(listing_list, listing);

struct heap {
    pthread_mutex_t lock;
    uint64_t serial; /* no other heap of this process has it */
    mb_client *client;
    mb_location location;
    bool catch_misuse;
    uint64_t idle_since; /* when a chunk became free since the lock was taken; 0: none did */
    struct pool small, large;
    struct slab_list partial[SIZE_CLASSES]; /* slabs with room */
    struct listing_list listings;           /* large and named buffers */
    mb_buffer *recent[HEAP_RECENT];         /* large ones that were freed lately, for the next of the same size */
    unsigned recent_count;
};

struct heaps {
    struct heap of[HEAP_LOCATIONS];
    _Atomic uint64_t idle_at; /* ms; when something may be given back; UINT64_MAX: never */
    _Atomic bool trim_wanted;
};

/* A number that nothing else in this process has. */
uint64_t heaps_new_number(void);

/* NULL: out of memory. */
struct heaps *heaps_new(mb_client *client);

/* Forgets all of it; the leases are the client's. */
void heaps_free(struct heaps *heaps);

static inline struct heap *heap_of(struct heaps *heaps, mb_location location)
{
    return &heaps->of[location - MB_LOCATION_RAM];
}

/* Gives back every chunk that is free, the calling thread's cached buffers included. Returns how many bytes. */
uint64_t heaps_trim(mb_client *client);

/* The same for chunks that have been free for a while; from whoever tends the client. */
void heaps_tend(mb_client *client, uint64_t now);

/* When heaps_tend() has something to do, in ms; UINT64_MAX: nothing. */
uint64_t heaps_due(const struct heaps *heaps);

/* The broker wants memory back: the next heaps_tend(), due at once, gives back everything that is free. */
void heaps_want_trim(struct heaps *heaps);

void heaps_add_holders(mb_client *client, struct local_holder *holders);

/* Gives up the lock after something was given back: a chunk that became free is looked at a second later. */
void heap_unlock(struct heap *heap);

/* ---- spans; the lock is held ---- */

/* A span of this many pages, or NULL: the pool needs another chunk. Its pages from *ret_fresh on are zero. */
struct span *span_take(struct pool *pool, uint32_t pages, uint32_t *ret_fresh);
void span_give(struct span *span, uint64_t since); /* in ms, for the chunk; 0: now */
void *span_data(const struct span *span);

/* Leases a chunk for at least this many pages and adds it. Takes the lock itself. 0 or negative errno, with the
 * sentence. */
int pool_grow(struct pool *pool, uint32_t pages);
