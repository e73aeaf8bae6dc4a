/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: spans that are cut into equal blocks. Unless it says otherwise, a function needs the heap's lock held. */
#pragma once

#include "client/buffer/buffer.h"

struct slab {
    struct span *span;
    unsigned size_class;
    uint32_t count, used, fresh; /* objects; from `fresh` on they were never used */
    mb_buffer *free;
    bool is_partial; /* in its heap's list */
    LIST_ENTRY(slab) in_heap;
    mb_buffer buffers[];
};

/* Takes up to `count` small buffers, fewer if the slabs have no more room: then call slab_add(). */
unsigned slab_take(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count);
void slab_give(mb_buffer *buffer);

/* Adds a slab of this class. Takes the lock itself. 0, or negative errno with the sentence set. */
int slab_add(struct heap *heap, unsigned size_class);
