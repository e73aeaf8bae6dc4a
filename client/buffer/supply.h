/* SPDX-License-Identifier: Apache-2.0 */
/* Where the threads' caches get buffers from and give them to: the depot first, then the slabs and spans of the heap.
 */
#pragma once

#include "client/buffer/buffer.h"

/* Takes up to `count` small buffers. Negative errno, with the sentence set: -EAGAIN: the broker must be asked, and
 * `may_ask` is false. */
int supply_take_small(struct heap *heap, unsigned size_class, bool may_ask, mb_buffer **ret, unsigned count);

/* Takes up to `count` medium buffers that were freed lately; 0: there are none. */
unsigned supply_take_medium(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count);

/* A batch that another thread gave; 0: there is none. `ret` has room for DEPOT_BATCH_MAX. */
unsigned supply_take_batch(struct heap *heap, unsigned size_class, mb_buffer **ret);

/* Gives a batch of one class to other threads, or to the heap. */
void supply_give_batch(struct heap *heap, const struct depot_gift *gift);

/* Before the first of the others: makes the depot. Without memory for it there is none. */
void supply_begin(struct heap *heap);

/* Gives buffers to the heap. */
void supply_give(struct heap *heap, mb_buffer *const *buffers, unsigned count);

/* Gives everything in the depot to the heap. */
void supply_drain(struct heap *heap);
