/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Size classes of buffers: multiples of 16 up to 128, multiples of 64 up to 1 KiB, then eight to each doubling up to
 * 256 KiB, so that at most a ninth of a block is wasted above 512 bytes. Small buffers (up to 32 KiB) lie in slabs;
 * medium ones (up to 256 KiB) have spans of their own, and are kept in the threads' caches as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SMALL_BYTES_MAX = 32768, MEDIUM_BYTES_MAX = 262144, SMALL_CLASSES = 62, SIZE_CLASSES = 86 };
enum { QUICK_BYTES_MAX = 1024 }; /* their classes are in a table */

extern const uint32_t size_class_bytes[SIZE_CLASSES];
extern const uint8_t size_class_quick[QUICK_BYTES_MAX / 16 + 1];

/* Whether buffers of this class have spans of their own. */
static inline bool size_class_is_medium(unsigned size_class)
{
    return size_class >= SMALL_CLASSES;
}

/* The class of the smallest block that has `bytes` (1 to MEDIUM_BYTES_MAX). */
static inline unsigned size_class_of(size_t bytes)
{
    if (bytes <= QUICK_BYTES_MAX) {
        return size_class_quick[(bytes + 15) >> 4];
    }
    unsigned doubling = 63u - (unsigned)__builtin_clzll(bytes - 1); /* 10: up to 2 KiB */
    return 22 + (doubling - 10) * 8 + (unsigned)((bytes - 1) >> (doubling - 3) & 7);
}
