/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that a refusal can name. Pure; any thread. */
#pragma once

#include <stdbool.h>

/* The values are the wire's. */
enum limit_kind {
    LIMIT_KIND_UNSPECIFIED, /* none, or one that this version does not know */
    LIMIT_KIND_BYTES,
    LIMIT_KIND_PHYSICAL_BYTES,
    LIMIT_KIND_MAPPED_BYTES,
    LIMIT_KIND_LEASES,
    LIMIT_KIND_AVAILABLE_MEMORY, /* what the host has: no setting */
    LIMIT_KIND_PAUSED,           /* grants of RAM are paused for memory pressure */
    LIMIT_KIND_DISK_SPACE,       /* what the spill file system has free: no setting */
    LIMIT_KIND_BLOCKS,           /* this one and what follows are those of [sharing] */
    LIMIT_KIND_VIEWS,
    LIMIT_KIND_OBJECTS,
    LIMIT_KIND_BOARD_BYTES,
    LIMIT_KIND_WATCHES, /* of a session */
    LIMIT_KIND_USER_WATCHES,
    LIMIT_KINDS
};

/* The name of the setting, as in the configuration. Empty: none. */
const char *limit_kind_name(enum limit_kind kind);

/* What its figures are numbers of: "bytes", "leases", "blocks", "views", "objects" or "watches". */
const char *limit_kind_unit(enum limit_kind kind);

bool limit_kind_is_in_bytes(enum limit_kind kind);

/* Whether it is one of [sharing]. */
bool limit_kind_is_of_sharing(enum limit_kind kind);

/* The kind with that name. */
enum limit_kind limit_kind_named(const char *name);
