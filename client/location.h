/* SPDX-License-Identifier: Apache-2.0 */
/* What the library needs to know of each location. Everything else takes a location as an index, and asks here. */
#pragma once

#include <stdbool.h>

#include "membroker.h"

static inline bool location_is_valid(mb_location location)
{
    return location >= MB_LOCATION_RAM && location <= MB_LOCATION_AUTO;
}

/* From 0 on, for arrays by location. */
static inline int location_index(mb_location location)
{
    return (int)location - (int)MB_LOCATION_RAM;
}

static inline mb_location location_at(int index)
{
    return (mb_location)((int)MB_LOCATION_RAM + index);
}

/* The location of small buffers, which each thread caches, and of leases that are kept for the next of their size. */
static inline mb_location location_cached(void)
{
    return MB_LOCATION_RAM;
}

/* Where a block is of which the broker does not say that, since it is older. */
static inline mb_location location_published(void)
{
    return MB_LOCATION_RAM;
}

/* Whether a request for it may be served from leases that are kept. */
static inline bool location_may_be_cached(mb_location location)
{
    return location == MB_LOCATION_RAM || location == MB_LOCATION_AUTO;
}

/* Whether its segments are files. */
static inline bool location_is_file(mb_location location)
{
    return location == MB_LOCATION_MMAP;
}
