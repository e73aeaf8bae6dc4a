/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/location.h"

#include <string.h>

static const struct words {
    const char *name, *title, *place, *contents;
} words[] = {
    [LOCATION_UNSPECIFIED] = {"ram", "RAM", "RAM", "RAM"},
    [LOCATION_RAM] = {"ram", "RAM", "RAM", "RAM"},
    [LOCATION_MMAP] = {"mmap", "MMAP", "a file", "mapped files"},
    [LOCATION_AUTO] = {"auto", "AUTO", "RAM or a file", "RAM or mapped files"},
};

/* A later version may know other locations. */
static const struct words *words_of(enum location location)
{
    bool is_known = location_holds_bytes(location) || location == LOCATION_AUTO;
    return &words[is_known ? location : LOCATION_UNSPECIFIED];
}

const char *location_name(enum location location)
{
    return words_of(location)->name;
}

const char *location_title(enum location location)
{
    return words_of(location)->title;
}

const char *location_place(enum location location)
{
    return words_of(location)->place;
}

const char *location_contents(enum location location)
{
    return words_of(location)->contents;
}

enum location location_named(const char *name)
{
    for (enum location location = LOCATION_FIRST; location <= LOCATION_AUTO; location++) {
        if (strcmp(words[location].name, name) == 0) {
            return location;
        }
    }
    return LOCATION_UNSPECIFIED;
}
