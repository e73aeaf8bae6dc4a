/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a tracked buffer. Most programs have many small buffers, and touch each record at random, so it has
 * half a cache line: what few buffers need is in a struct extra, and what a slab's buffers share is in the slab.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/buffer/heap.h"
#include "client/buffer/size_class.h"
#include "client/buffer/span.h"
#include "proto/message.h"

/* What makes the end of a buffer's life slow. 0: a thread's cache may take it as it is. */
enum buffer_flags {
    BUFFER_NAMED = 1,  /* extra->name is set */
    BUFFER_EXTRA = 2,  /* a small buffer that has an extra; a large one always has */
    BUFFER_WEAK = 4,   /* has weak references, or had some */
    BUFFER_SCOPED = 8, /* a buffer scope holds the first reference */
};

enum { SIZE_CLASS_NONE = UINT8_MAX /* of a buffer of more than MEDIUM_BYTES_MAX */ };

struct mb_buffer {
    struct mb_buffer_head head;  /* first: the header's inline functions read it */
    _Atomic uint32_t references; /* 0: it is free */
    _Atomic uint8_t flags;
    uint8_t size_class; /* SMALL_CLASSES or more: it is a struct large_buffer */
    uint16_t tag;       /* of the heap if a thread's cache may take the buffer; else TAG_NONE */
    struct extra *extra;
};

_Static_assert(sizeof(struct mb_buffer) == 32, "two records in a cache line");

/* What most buffers lack. */
struct extra {
    const mb_buffer *buffer;
    char name[MESSAGE_NAME_SIZE];
    TAILQ_ENTRY(extra) in_heap; /* in the heap's list of large and named buffers */
    struct mb_weak *weak;
    mb_buffer_scope *scope;
    mb_buffer *next, *previous; /* in the scope */
};

struct large_buffer {
    mb_buffer buffer; /* first */
    struct extra extra;
    struct span *span;
    uint32_t kept_at; /* the number of looks when it was freed */
    TAILQ_ENTRY(large_buffer) in_class, in_kept;
};

enum { SLAB_RECORD_BYTES = 4096, SLAB_BUFFERS_MAX = 124, SLAB_WORDS = 2 };

/* A span that is cut into equal blocks, and the records of those. It lies at a multiple of its size, so that a
 * record's slab is computed. */
struct slab {
    struct span *span;
    struct heap *heap;
    uint64_t free[SLAB_WORDS]; /* blocks whose record was made, and that are free */
    uint16_t count, used;
    uint16_t fresh; /* blocks from this one on have no record yet */
    uint8_t size_class;
    bool is_partial; /* in its heap's list */
    LIST_ENTRY(slab) in_heap;
    _Alignas(128) mb_buffer buffers[SLAB_BUFFERS_MAX];
};

_Static_assert(sizeof(struct slab) == SLAB_RECORD_BYTES, "a slab's records and its head have a page");

static inline bool buffer_is_large(const mb_buffer *buffer)
{
    return size_class_is_medium(buffer->size_class);
}

static inline struct slab *buffer_slab(const mb_buffer *buffer)
{
    return (struct slab *)((uintptr_t)buffer & ~(uintptr_t)(SLAB_RECORD_BYTES - 1));
}

static inline struct large_buffer *buffer_large(const mb_buffer *buffer)
{
    return (struct large_buffer *)(uintptr_t)buffer;
}

static inline struct span *buffer_span(const mb_buffer *buffer)
{
    return buffer_is_large(buffer) ? buffer_large(buffer)->span : buffer_slab(buffer)->span;
}

static inline struct heap *buffer_heap(const mb_buffer *buffer)
{
    return buffer_is_large(buffer) ? buffer_large(buffer)->span->chunk->pool->heap : buffer_slab(buffer)->heap;
}

static inline mb_lease *buffer_lease(const mb_buffer *buffer)
{
    return buffer_span(buffer)->chunk->lease;
}

static inline bool buffer_has(const mb_buffer *buffer, unsigned flags)
{
    return atomic_load_explicit(&buffer->flags, memory_order_relaxed) & flags;
}

static inline void buffer_set(mb_buffer *buffer, unsigned flags)
{
    (void)atomic_fetch_or_explicit(&buffer->flags, (uint8_t)flags, memory_order_relaxed);
}

static inline void buffer_clear(mb_buffer *buffer, unsigned flags)
{
    (void)atomic_fetch_and_explicit(&buffer->flags, (uint8_t)~flags, memory_order_relaxed);
}
