/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/limit_kind.h"

#include <string.h>

static const char *const names[LIMIT_KINDS] = {
    [LIMIT_KIND_UNSPECIFIED] = "",
    [LIMIT_KIND_BYTES] = "max_bytes",
    [LIMIT_KIND_PHYSICAL_BYTES] = "max_physical_bytes",
    [LIMIT_KIND_MAPPED_BYTES] = "max_mapped_bytes",
    [LIMIT_KIND_LEASES] = "max_leases",
    [LIMIT_KIND_AVAILABLE_MEMORY] = "available_memory",
    [LIMIT_KIND_PAUSED] = "pause_ram_at",
    [LIMIT_KIND_DISK_SPACE] = "disk_space",
};

const char *limit_kind_name(enum limit_kind kind)
{
    return names[kind];
}

enum limit_kind limit_kind_named(const char *name)
{
    for (enum limit_kind kind = LIMIT_KIND_BYTES; kind < LIMIT_KINDS; kind++) {
        if (strcmp(names[kind], name) == 0) {
            return kind;
        }
    }
    return LIMIT_KIND_UNSPECIFIED;
}
