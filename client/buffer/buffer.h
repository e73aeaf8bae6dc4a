/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a tracked buffer, and slabs of small ones. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffer/heap.h"

enum buffer_flags {
    BUFFER_LARGE = 1,  /* has a span of its own */
    BUFFER_LISTED = 2, /* large, or named */
    BUFFER_WEAK = 4,   /* has weak references */
    BUFFER_SCOPED = 8, /* a buffer scope holds the first reference */
};

/* What a small buffer rarely has. */
struct listing {
    const mb_buffer *buffer;
    void *large; /* the large_buffer that it is part of; NULL: a small buffer's */
    char name[MESSAGE_NAME_SIZE];
    TAILQ_ENTRY(listing) in_heap;
};

struct mb_buffer {
    struct mb_buffer_head head; /* first: the header's inline functions read it */
    _Atomic uint32_t references;
    uint16_t flags; /* changed only by who has the only reference, or a first weak reference under its lock */
    uint16_t size_class;
    uint64_t serial; /* of its heap */
    struct heap *heap;
    struct span *span;
    struct listing *listing;
    struct mb_weak *weak;
    mb_buffer_scope *scope;
    mb_buffer *next, *previous; /* in the scope; next: in a slab's free list too */
};

struct slab {
    struct span *span;
    unsigned size_class;
    uint32_t count, used, fresh; /* objects; from `fresh` on they were never used */
    mb_buffer *free;
    bool is_partial; /* in its heap's list */
    LIST_ENTRY(slab) in_heap;
    mb_buffer buffers[];
};

/* ---- slab.c; the heap's lock is held ---- */

/* Takes up to `count` small buffers; fewer, or none, where slabs have no more room: see slab_add(). */
unsigned slab_take(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count);
void slab_give(mb_buffer *buffer);

/* Adds a slab for this class. Takes the lock itself. 0 or negative errno with the sentence. */
int slab_add(struct heap *heap, unsigned size_class);

/* NULL is allowed. */
void slab_free(struct slab *slab);

/* ---- large.c; the heap's lock is held ---- */

/* A large buffer of this many pages, or NULL: the heap must grow. Its pages from *ret_fresh on are zero. */
mb_buffer *large_take(struct heap *heap, uint32_t pages, uint32_t *ret_fresh);

/* Keeps it for the next of its size, for a while. */
void large_give(mb_buffer *buffer);

/* Gives up what is kept; its chunks count as free since then (ms; 0: now). */
void large_flush(struct heap *heap, uint64_t since);

/* The room for its listing that a large buffer comes with. */
struct listing *large_listing(mb_buffer *buffer);

/* ---- chunks ---- */
void chunk_withdraw(struct chunk *chunk);

/* ---- weak.c ---- */

/* The buffer is going: weak references yield nothing from here on. */
void weak_cut(mb_buffer *buffer);

/* ---- scope.c ---- */
void buffer_scope_add(mb_buffer_scope *scope, mb_buffer *buffer);
void buffer_scope_remove(mb_buffer *buffer);
