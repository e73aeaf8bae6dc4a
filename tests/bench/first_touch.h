/* SPDX-License-Identifier: Apache-2.0 */
/* The first-touch programs' common size and write pattern. */
#pragma once

#include "tests/bench/measure.h"

enum { TOUCH_BYTES = 256 << 20, TOUCH_PAGE = 4096 };

/* Writes one byte to each page of TOUCH_BYTES. */
static inline void pages_touch(char *memory)
{
    volatile char *written = memory;
    for (size_t at = 0; at < TOUCH_BYTES; at += TOUCH_PAGE)
        written[at] = 1;
}
