/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/limit_kind.h"

#include <string.h>

static const char bytes[] = "bytes";

static const struct words {
    const char *name, *unit;
} words[LIMIT_KINDS] = {
    [LIMIT_KIND_UNSPECIFIED] = {"", bytes},
    [LIMIT_KIND_BYTES] = {"max_bytes", bytes},
    [LIMIT_KIND_PHYSICAL_BYTES] = {"max_physical_bytes", bytes},
    [LIMIT_KIND_MAPPED_BYTES] = {"max_mapped_bytes", bytes},
    [LIMIT_KIND_LEASES] = {"max_leases", "leases"},
    [LIMIT_KIND_AVAILABLE_MEMORY] = {"available_memory", bytes},
    [LIMIT_KIND_PAUSED] = {"pause_ram_at", bytes},
    [LIMIT_KIND_DISK_SPACE] = {"disk_space", bytes},
    [LIMIT_KIND_BLOCKS] = {"max_blocks", "blocks"},
    [LIMIT_KIND_VIEWS] = {"max_views", "views"},
    [LIMIT_KIND_OBJECTS] = {"max_objects", "objects"},
    [LIMIT_KIND_BOARD_BYTES] = {"max_board_bytes", bytes},
    [LIMIT_KIND_WATCHES] = {"max_watches", "watches"},
    [LIMIT_KIND_USER_WATCHES] = {"max_watches_per_user", "watches"},
};

const char *limit_kind_name(enum limit_kind kind)
{
    return words[kind].name;
}

const char *limit_kind_unit(enum limit_kind kind)
{
    return words[kind].unit;
}

bool limit_kind_is_in_bytes(enum limit_kind kind)
{
    return words[kind].unit == bytes;
}

bool limit_kind_is_of_sharing(enum limit_kind kind)
{
    return kind >= LIMIT_KIND_BLOCKS;
}

enum limit_kind limit_kind_named(const char *name)
{
    for (enum limit_kind kind = LIMIT_KIND_BYTES; kind < LIMIT_KINDS; kind++) {
        if (strcmp(words[kind].name, name) == 0) {
            return kind;
        }
    }
    return LIMIT_KIND_UNSPECIFIED;
}
