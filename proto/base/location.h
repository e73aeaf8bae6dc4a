/* SPDX-License-Identifier: Apache-2.0 */
/* The locations and what people call them. Pure; any thread. */
#pragma once

#include <stdbool.h>

/* The values are the wire's. */
enum location {
    LOCATION_UNSPECIFIED, /* none is named: the default */
    LOCATION_RAM,
    LOCATION_MMAP,
    LOCATION_AUTO, /* the broker chooses */
};

/* Locations that hold bytes; LOCATION_AUTO follows them. Arrays by location have so many entries; that of
 * LOCATION_UNSPECIFIED is unused. */
enum { LOCATIONS = LOCATION_AUTO };

#define LOCATION_FIRST LOCATION_RAM

#define FOR_EACH_LOCATION(each) for (enum location each = LOCATION_FIRST; (int)(each) < LOCATIONS; (each)++)

/* Whether bytes can be there: false for LOCATION_AUTO, and for what no client may say. */
static inline bool location_holds_bytes(enum location location)
{
    return (int)location >= (int)LOCATION_FIRST && (int)location < LOCATIONS;
}

/* The name in options and in JSON: "ram". */
const char *location_name(enum location location);

/* All of those names, for a sentence. */
#define LOCATION_NAMES "ram, mmap or auto"

/* The name in documents and in the library: "RAM". */
const char *location_title(enum location location);

/* Where a lease is: "in RAM", "in a file", without the "in". */
const char *location_place(enum location location);

/* What is leased there: so much of "RAM", of "mapped files". */
const char *location_contents(enum location location);

/* The location with that name; LOCATION_UNSPECIFIED if there is none. */
enum location location_named(const char *name);
