/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes of small buffers: 16, 32, 48, 64, 128, 192, 256, then four to each doubling up to 32 KiB, so that at most a
 * fifth of a block is wasted above 256 bytes. From 64 on all are multiples of 64.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SMALL_BYTES_MAX = 32768, SIZE_CLASSES = 35 };

extern const uint16_t size_class_bytes[SIZE_CLASSES];

/* The class of the smallest block that has `bytes` (1 to SMALL_BYTES_MAX). */
static inline unsigned size_class_of(size_t bytes)
{
    if (bytes <= 64) {
        return (unsigned)((bytes - 1) >> 4);
    }
    if (bytes <= 256) {
        return (unsigned)(3 + ((bytes - 1) >> 6));
    }
    unsigned doubling = 63u - (unsigned)__builtin_clzll(bytes - 1); /* 8: up to 512 */
    return 7 + (doubling - 8) * 4 + (unsigned)((bytes - 1) >> (doubling - 2) & 3);
}
