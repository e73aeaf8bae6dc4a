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
    BUFFER_NAMED = 1,   /* extra->name is set */
    BUFFER_EXTRA = 2,   /* a small buffer that has an extra; a large one always has */
    BUFFER_WEAK = 4,    /* has weak references, or had some */
    BUFFER_SCOPED = 8,  /* a buffer scope holds the first reference */
    BUFFER_ZEROED = 16, /* a large one that was zero when it was made: its pages are given up when it is freed */
};

enum { SIZE_CLASS_NONE = UINT8_MAX /* of a buffer of more than MEDIUM_BYTES_MAX */ };

/*
 * References, flags, size class and tag are one word, so that one comparison tells whether a thread's cache takes the
 * buffer: from the lowest bit on 32 bits of references (0: it is free), 8 of flags, 8 of size class (SMALL_CLASSES or
 * more: it is a struct large_buffer), 16 of tag: the heap's if a thread's cache may take the buffer, else TAG_NONE.
 */
struct mb_buffer {
    struct mb_buffer_head head; /* first: the header's inline functions read it */
    _Atomic uint64_t state;
    struct extra *extra;
};

enum { STATE_FLAGS_AT = 32, STATE_CLASS_AT = 40, STATE_TAG_AT = 48 };

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
    bool is_zero;     /* while it is kept: it has no pages, and is zero when it is touched */
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

/* Of a free buffer. */
static inline uint64_t buffer_state_of(unsigned size_class, uint16_t tag)
{
    return (uint64_t)size_class << STATE_CLASS_AT | (uint64_t)tag << STATE_TAG_AT;
}

static inline uint64_t buffer_state(const mb_buffer *buffer)
{
    return atomic_load_explicit(&buffer->state, memory_order_relaxed);
}

static inline uint32_t buffer_references(const mb_buffer *buffer)
{
    return (uint32_t)buffer_state(buffer);
}

static inline unsigned buffer_class(const mb_buffer *buffer)
{
    return (uint8_t)(buffer_state(buffer) >> STATE_CLASS_AT);
}

static inline uint16_t buffer_tag(const mb_buffer *buffer)
{
    return (uint16_t)(buffer_state(buffer) >> STATE_TAG_AT);
}

/* Of a buffer that no other thread uses. */
static inline void buffer_set_references(mb_buffer *buffer, uint32_t references)
{
    uint64_t state = (buffer_state(buffer) & ~(uint64_t)UINT32_MAX) | references;
    atomic_store_explicit(&buffer->state, state, memory_order_relaxed);
}

static inline bool buffer_is_large(const mb_buffer *buffer)
{
    return size_class_is_medium(buffer_class(buffer));
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
    return buffer_state(buffer) & (uint64_t)flags << STATE_FLAGS_AT;
}

static inline void buffer_set(mb_buffer *buffer, unsigned flags)
{
    (void)atomic_fetch_or_explicit(&buffer->state, (uint64_t)flags << STATE_FLAGS_AT, memory_order_relaxed);
}

static inline void buffer_clear(mb_buffer *buffer, unsigned flags)
{
    (void)atomic_fetch_and_explicit(&buffer->state, ~((uint64_t)flags << STATE_FLAGS_AT), memory_order_relaxed);
}
