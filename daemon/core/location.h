/* SPDX-License-Identifier: Apache-2.0 */
/* The locations that hold bytes, as indices, and what the core needs to know of each. */
#pragma once

#include <stdbool.h>

#include "proto/message.h"

/* Arrays by location have so many entries; that of LOCATION_UNSPECIFIED is unused. */
enum { LOCATIONS = LOCATION_MMAP + 1, LOCATION_FIRST = LOCATION_RAM };

#define FOR_EACH_LOCATION(location)                                                                                    \
    for (enum location location = (enum location)LOCATION_FIRST; (int)(location) < LOCATIONS; (location)++)

/* Whether bytes can be there: false for LOCATION_AUTO, and for what no client may say. */
static inline bool location_holds_bytes(enum location location)
{
    return (int)location >= LOCATION_FIRST && (int)location < LOCATIONS;
}

/* Whether its bytes are the host's memory: they count against what the host has available and fill reserves, and their
 * pages can be huge, bound to a NUMA node, and filled ahead. */
static inline bool location_is_memory(enum location location)
{
    return location == LOCATION_RAM;
}

/* Whether a segment there can be a file that the client names. */
static inline bool location_has_names(enum location location)
{
    return location == LOCATION_MMAP;
}
