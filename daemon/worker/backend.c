/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/worker/backend.h"

#include <assert.h>
#include <stddef.h>

static const struct backend *const backends[BACKENDS] = {
    [BACKEND_MEMFD] = &backend_memfd,
    [BACKEND_SPILL] = &backend_spill,
    [BACKEND_NAMED] = &backend_named,
};

static const struct {
    enum backend_kind ordinary, named;
} by_location[LOCATIONS] = {
    [LOCATION_RAM] = {BACKEND_MEMFD, BACKENDS},
    [LOCATION_MMAP] = {BACKEND_SPILL, BACKEND_NAMED},
};

const struct backend *backend_get(enum backend_kind kind)
{
    return backends[kind];
}

enum backend_kind backend_of(enum location location, bool has_name)
{
    assert(location_holds_bytes(location));
    enum backend_kind named = by_location[location].named;
    return has_name && named != BACKENDS ? named : by_location[location].ordinary;
}

const struct backend *backend_kept_as(char letter)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (backends[i]->kept_as == letter) {
            return backends[i];
        }
    }
    return NULL;
}

enum backend_kind backend_with_target(const struct workshop *workshop, const char *target)
{
    enum backend_kind kind = 0;
    while (kind < BACKENDS && !backends[kind]->is_target(workshop, target)) {
        kind++;
    }
    return kind;
}
