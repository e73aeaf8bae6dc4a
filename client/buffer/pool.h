/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of a heap: leasing them, and giving back those that are idle. */
#pragma once

#include "client/buffer/heap.h"
#include "client/buffer/span.h"

/* An empty pool. `chunks` has the bounds and the share of its chunks. */
void pool_init(struct pool *pool, struct heap *heap, const struct pool *chunks);

/* Forgets the chunks; their leases are the client's. */
void pool_close(struct pool *pool);

/* Leases a chunk that has room for the wish. Takes the heap's lock. 0, or negative errno with the sentence set. */
int pool_grow(struct pool *pool, const struct span_wish *wish);

/* The same, but no more than that, and without asking the program or other clients to free memory. */
int pool_grow_fresh(struct pool *pool, const struct span_wish *wish);

/* Instead of growing: sets the sentence and returns -EAGAIN. */
int pool_refuse(void);

/* Moves the chunks that were idle for `age` to `ret`. Returns when the next one will be. The heap's lock is held. */
uint64_t pool_collect_idle(struct pool *pool, uint64_t now, uint64_t age, struct chunk_list *ret);

/* Releases collected chunks. Returns how many bytes. No lock is held. */
uint64_t pool_release(struct chunk_list *chunks);
