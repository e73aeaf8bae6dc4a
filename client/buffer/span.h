/* SPDX-License-Identifier: Apache-2.0 */
/* Spans: runs of pages of a pool's chunks. The heap's lock is held. */
#pragma once

#include "client/buffer/heap.h"

struct span_wish {
    uint32_t pages, at_most; /* at least, and as many as there are in that place */
    uint32_t aligned;        /* in pages, a power of two */
};

/* A span whose pages from *ret_fresh on are zero. NULL: the pool needs another chunk, or errno is ENOMEM. */
struct span *span_take(struct pool *pool, const struct span_wish *wish, uint32_t *ret_fresh);

/* A span in the pool's newest chunk that was never used: all of it is zero. NULL: there is none. */
struct span *span_take_fresh(struct pool *pool, const struct span_wish *wish);

/* `since`: from when on its chunk counts as idle if all of it is free then, in ms; 0: now. */
void span_give(struct span *span, uint64_t since);

/* The span in use that has this page of the chunk. NULL: there is none. */
struct span *span_at(const struct chunk *chunk, uint32_t page);

void *span_data(const struct span *span);

/* Adds a new chunk, all free, to what spans are taken from. */
void span_add_chunk(struct chunk *chunk);

/* Nothing is allocated from this chunk any more. */
void span_withdraw_chunk(struct chunk *chunk);
