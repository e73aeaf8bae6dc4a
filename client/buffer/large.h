/* SPDX-License-Identifier: Apache-2.0 */
/* Large buffers, each with a span of its own. The heap's lock is held. */
#pragma once

#include "client/buffer/buffer.h"

/* A buffer of this many pages, whose pages from *ret_fresh on are zero. NULL: the heap must grow. */
mb_buffer *large_take(struct heap *heap, uint32_t pages, uint32_t *ret_fresh);

/* Keeps it for a while, for the next buffer of the same size. */
void large_give(mb_buffer *buffer);

/* Gives up what is kept. Chunks that become free count as idle from `since` on, in ms; 0: from now on. */
void large_flush(struct heap *heap, uint64_t since);

/* The listing that a large buffer comes with. */
struct listing *large_listing(mb_buffer *buffer);
