/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of tracked buffers: leased chunks, cut into spans of whole pages. A span is one large buffer, or a slab of
 * small ones. All bookkeeping lies in private memory, so that a lost lease loses only the bytes. A chunk that is all
 * free goes back to the broker after a second.
 *
 * A client has one heap for each location. A heap's lock guards all of it, and is not held while the broker is asked.
 * client/BUFFERS.md says why this is neither jemalloc nor mimalloc, with the figures.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/buffer/chunk_index.h"
#include "client/buffer/depot.h"
#include "client/buffer/size_class.h"
#include "client/location.h"
#include "membroker.h"
#include "proto/base/tree.h"

enum { HEAP_PAGE_BYTES = 4096, HEAP_LOCATIONS = 3, HEAP_IDLE_MS = 1000, HEAP_KEPT_CLASSES = 256 };

struct span {
    struct chunk *chunk;
    uint32_t first, pages; /* of the chunk */
    bool is_free;
    struct slab *slab;          /* NULL: free, or a large buffer's */
    struct large_buffer *large; /* NULL: free, or a slab's */
    RB_ENTRY(span) in_free;
    struct span *next_unused; /* of the pool's records of spans */
};

/* For 64 pages: which of them begin a span in use, and the beginning of the one that reaches into the first of them. */
struct span_starts {
    uint64_t here;
    uint32_t reaches_in;
};

struct chunk {
    struct pool *pool;
    mb_lease *lease;
    char *base;
    uint32_t pages, used_pages;
    uint32_t fresh;     /* pages from this one on were never handed out: they are zero */
    bool is_lost;       /* nothing is allocated from it any more */
    bool is_loss_noted; /* the heap has another tag since */
    uint64_t idle_since;
    struct span **map; /* by page: a span's first and last page point to it */
    struct span_starts *starts;
    TAILQ_ENTRY(chunk) in_pool;
};

TAILQ_HEAD(chunk_list, chunk);
RB_HEAD(span_tree, span);

/* Slabs and large buffers have separate chunks, so that a few small buffers don't keep a large chunk. */
struct pool {
    struct heap *heap;
    struct chunk_list chunks;
    struct span_tree free; /* by pages, then by address */
    uint64_t leased_bytes;
    uint64_t chunk_bytes_min, chunk_bytes_max;
    unsigned chunk_share; /* a chunk has this part of what the pool has */
    struct span *unused;  /* records of spans, for the next splits */
};

LIST_HEAD(slab_list, slab);
TAILQ_HEAD(extra_list, extra);
TAILQ_HEAD(large_list, large_buffer);
LIST_HEAD(record_region_list, record_region);

/* Memory for the records of slabs. */
struct record_pages {
    struct record_region_list regions, with_unused;
    uint32_t unused_count;
};

struct heap {
    pthread_mutex_t lock;
    uint64_t serial;      /* no other heap of this process has it */
    _Atomic uint16_t tag; /* no other heap that exists has it; TAG_NONE: no thread caches its buffers. See losses.h */
    uint16_t newest_tag;  /* of those that it took; TAG_NONE: it took none */
    mb_client *client;
    mb_location location;
    bool catch_misuse;
    uint64_t idle_since; /* when a chunk became free since the lock was taken; 0: none did */
    struct pool small, large;
    struct slab_list partial[SMALL_CLASSES]; /* slabs with room */
    uint32_t slab_pages[SMALL_CLASSES];      /* of all slabs of the class */
    struct record_pages records;
    struct chunk_index chunks;                 /* of both pools */
    struct extra_list listed;                  /* large and named buffers */
    struct large_list kept[HEAP_KEPT_CLASSES]; /* freed lately, by size; the newest first */
    struct large_list all_kept;                /* the oldest first */
    struct large_list unused;                  /* records of large buffers */
    uint64_t kept_pages;
    uint32_t looks;                   /* how often idle memory was looked for */
    struct depot *_Atomic depot;      /* made for the first thread's cache; NULL: none yet. It needs no lock */
    _Atomic uint64_t depot_bytes_max; /* a small part of the heap */
};

struct heaps {
    struct heap of[HEAP_LOCATIONS];
    _Atomic uint64_t idle_at; /* ms: when something may go back; UINT64_MAX: never */
};

static inline uint16_t heap_tag(const struct heap *heap)
{
    return atomic_load_explicit(&heap->tag, memory_order_relaxed);
}

static inline struct heap *heap_of(struct heaps *heaps, mb_location location)
{
    return &heaps->of[location_index(location)];
}

/* Gives up the lock after memory was given back. If a chunk became free, the client looks at it a second later. */
void heap_unlock(struct heap *heap);

/* Plans a look soon, because the depot or a thread has memory that no lock guards. */
void heap_plan_return(struct heap *heap);

/* Plans the next look at idle chunks, in ms. True: it is earlier than planned before. */
bool heap_plan_look(struct heaps *heaps, uint64_t due);

/* When that look is due, in ms; UINT64_MAX: never. */
uint64_t heap_next_look(const struct heaps *heaps);
