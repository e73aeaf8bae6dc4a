/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a tracked buffer. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffer/heap.h"
#include "proto/message.h"

enum buffer_flags {
    BUFFER_LARGE = 1,  /* has a span of its own */
    BUFFER_LISTED = 2, /* large, or named */
    BUFFER_WEAK = 4,   /* has weak references */
    BUFFER_SCOPED = 8, /* a buffer scope holds the first reference */
};

/* What most small buffers lack. */
struct listing {
    const mb_buffer *buffer;
    void *large; /* the allocation of the large buffer that it is part of; NULL: it is its own */
    char name[MESSAGE_NAME_SIZE];
    TAILQ_ENTRY(listing) in_heap;
};

struct mb_buffer {
    struct mb_buffer_head head; /* first: the header's inline functions read it */
    _Atomic uint32_t references;
    uint16_t flags; /* changed only by the owner of the only reference; weak.c sets BUFFER_WEAK under its lock */
    uint16_t size_class;
    uint64_t serial; /* of its heap */
    struct heap *heap;
    struct span *span;
    struct listing *listing;
    struct mb_weak *weak;
    mb_buffer_scope *scope;
    mb_buffer *next, *previous; /* in the scope; `next` also links a slab's free buffers */
};
