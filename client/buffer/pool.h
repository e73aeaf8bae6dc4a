/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of a heap: leasing them, and giving back those that are idle. */
#pragma once

#include "client/buffer/heap.h"

void pool_init(struct pool *pool, struct heap *heap, uint64_t chunk_bytes_min, uint64_t chunk_bytes_max);

/* Forgets the chunks; their leases are the client's. */
void pool_close(struct pool *pool);

/* Leases a chunk of at least this many pages. Takes the heap's lock. 0, or negative errno with the sentence set. */
int pool_grow(struct pool *pool, uint32_t pages);

/* Moves the chunks that were idle for `age` to `ret`. Returns when the next one will be. The heap's lock is held. */
uint64_t pool_collect_idle(struct pool *pool, uint64_t now, uint64_t age, struct chunk_list *ret);

/* Releases collected chunks. Returns how many bytes. No lock is held. */
uint64_t pool_release(struct chunk_list *chunks);
