/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small numbers for heaps: no two heaps that exist have the same one. A buffer's record has room for no more. A heap
 * takes another one after a loss, and keeps the older ones, which buffers may still have.
 */
#pragma once

#include <stdint.h>

enum { TAG_NONE = 0, TAG_UNBOUND = UINT16_MAX /* of a cache without a heap */ };

/* `newest`: the one that the heap took last; TAG_NONE: it has none. Returns TAG_NONE if all are taken. */
uint16_t tag_take_after(uint16_t newest);

/* Gives back all that the heap took. TAG_NONE is allowed. */
void tag_give_all(uint16_t newest);
