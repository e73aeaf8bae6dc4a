/* SPDX-License-Identifier: Apache-2.0 */
/* Spans: runs of pages of a pool's chunks. The heap's lock is held. */
#pragma once

#include "client/buffer/heap.h"

/* A span of this many pages, whose pages from *ret_fresh on are zero. NULL: the pool needs another chunk. */
struct span *span_take(struct pool *pool, uint32_t pages, uint32_t *ret_fresh);

/* `since`: from when on its chunk counts as idle if all of it is free then, in ms; 0: now. */
void span_give(struct span *span, uint64_t since);

void *span_data(const struct span *span);

/* Adds a new chunk, all free, to what spans are taken from. */
void span_add_chunk(struct chunk *chunk);

/* Nothing is allocated from this chunk any more. */
void span_withdraw_chunk(struct chunk *chunk);
