/* SPDX-License-Identifier: Apache-2.0 */
/* Large buffers, each with a span of its own. The heap's lock is held. */
#pragma once

#include "client/buffer/buffer.h"

/* The span that a buffer of this many pages wants: some more, so that buffers of about one size use the same spans. */
struct span_wish large_wish(const struct heap *heap, uint32_t pages, uint32_t aligned);

/* A buffer whose pages from *ret_fresh on are zero. NULL: the heap must grow, or errno is ENOMEM. */
mb_buffer *large_take(struct heap *heap, const struct span_wish *wish, uint32_t *ret_fresh);

/* A buffer that is all zero: one that is kept without pages, or pages that were never used. NULL: there are none. */
mb_buffer *large_take_fresh(struct heap *heap, const struct span_wish *wish);

/* A buffer of this size class that was freed lately; NULL: there is none. */
mb_buffer *large_take_kept(struct heap *heap, unsigned size_class);

/* Keeps it for a while, for the next buffer of the same size. `is_zero`: it has no pages. */
void large_give(mb_buffer *buffer, bool is_zero);

/* Gives up what is kept; `is_aged`: unless it was freed since the last call. Chunks that become free count as idle from
 * `since` on, in ms; 0: from now on. */
void large_flush(struct heap *heap, uint64_t since, bool is_aged);

/* The heap ends: frees the records. */
void large_close(struct heap *heap);
