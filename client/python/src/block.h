/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for allocators that get nothing but an address back: a tracked buffer for each block. Small blocks have a head
 * before their data; large ones begin on a page and are in a table. Any thread, with or without the interpreter's lock.
 */
#pragma once

#include <stddef.h>

#include "client/python/src/owner.h"

#define BLOCK_ZEROED  1u
#define BLOCK_PLAIN   2u /* from malloc(): a forked child has no client */
#define BLOCK_ALIGNED 4u /* to 64 bytes, whatever its size */

/* NULL: errors_of_thread() has the reason. */
void *block_allocate(struct owner *owner, mb_location location, size_t bytes, unsigned flags);

/* `data` of block_allocate() or block_resize() with the same owner. */
void block_free(struct owner *owner, void *data);

/* As realloc(): NULL leaves the block as it was. What is added is not zero. */
void *block_resize(struct owner *owner, mb_location location, void *data, size_t bytes);

/* How many bytes it has at least; 0: it is no block. A forked child may ask for a block of its parent. */
size_t block_size(void *data);

/* Whether the address is that of a block of this owner. Any address is allowed. */
bool block_is_of(const struct owner *owner, const void *data);
