/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: spans that are cut into equal blocks. Unless it says otherwise, a function needs the heap's lock held. */
#pragma once

#include "client/buffer/buffer.h"

/* Takes up to `count` small buffers, fewer if the slabs have no more room: then call slab_add(). */
unsigned slab_take(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count);
void slab_give(mb_buffer *buffer);

/* Adds a slab of this class and takes up to `count` of its buffers. Takes the lock itself. Returns how many it took, or
 * negative errno with the sentence set. */
int slab_add(struct heap *heap, unsigned size_class, bool may_ask, mb_buffer **ret, unsigned count);

/* The heap ends: frees what the slabs of its chunks have besides their records. */
void slabs_close(struct heap *heap);
