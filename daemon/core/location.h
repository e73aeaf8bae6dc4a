/* SPDX-License-Identifier: Apache-2.0 */
/* What the core needs to know of each location: a table. Everything else takes a location as an index. */
#pragma once

#include "proto/base/location.h"

enum ledger_limit { LEDGER_MAX_BYTES, LEDGER_MAX_PHYSICAL_BYTES, LEDGER_MAX_MAPPED_BYTES, LEDGER_LIMITS };

struct location_facts {
    enum ledger_limit limit; /* of this location alone; LEDGER_MAX_BYTES counts all of them */
    enum location spills_to; /* where AUTO goes if this one has no room; LOCATION_UNSPECIFIED: nowhere */
    bool is_memory;          /* the host's: it counts against what the host has available, and fills reserves */
    bool has_page_options;   /* its pages can be huge, bound to NUMA nodes, and filled ahead */
    bool has_pool;           /* the pool may serve it */
    bool has_names;          /* a segment can be a file that the client names */
    bool has_seals;          /* the kernel refuses to write to a block, whoever the user is: so others may attach it */
};

/* The last row is that of LOCATION_AUTO, which is none of this. */
extern const struct location_facts location_facts[LOCATIONS + 1];

#define LOCATION_DEFAULT  LOCATION_RAM /* of a request that names none */
#define LOCATION_POOLED   LOCATION_RAM /* the pool's segments are there */
#define LOCATION_RESERVED LOCATION_RAM /* reserves are of it */
#define LOCATION_BOARDS   LOCATION_RAM /* boards of objects are there */

static inline bool location_is_memory(enum location location)
{
    return location_facts[location].is_memory;
}

static inline bool location_has_page_options(enum location location)
{
    return location_facts[location].has_page_options;
}

static inline bool location_has_pool(enum location location)
{
    return location_facts[location].has_pool;
}

static inline bool location_has_names(enum location location)
{
    return location_facts[location].has_names;
}

static inline bool location_has_seals(enum location location)
{
    return location_facts[location].has_seals;
}

/* Whether the broker chooses among several locations. */
static inline bool location_is_choice(enum location wanted)
{
    return wanted == LOCATION_AUTO;
}

/* The locations that would do for a request, one after the other; LOCATION_UNSPECIFIED: there is no other. */
static inline enum location location_first(enum location wanted)
{
    return location_is_choice(wanted) ? LOCATION_FIRST : wanted;
}

static inline enum location location_next(enum location wanted, enum location location)
{
    return location_is_choice(wanted) ? location_facts[location].spills_to : LOCATION_UNSPECIFIED;
}
