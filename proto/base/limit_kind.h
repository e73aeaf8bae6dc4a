/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that a refusal can name. Pure; any thread. */
#pragma once

/* The values are the wire's. */
enum limit_kind {
    LIMIT_KIND_UNSPECIFIED, /* none, or one that this version does not know */
    LIMIT_KIND_BYTES,
    LIMIT_KIND_PHYSICAL_BYTES,
    LIMIT_KIND_MAPPED_BYTES,
    LIMIT_KIND_LEASES,           /* its figures are numbers of leases, not of bytes */
    LIMIT_KIND_AVAILABLE_MEMORY, /* what the host has: no setting */
    LIMIT_KIND_PAUSED,           /* grants of RAM are paused for memory pressure */
    LIMIT_KIND_DISK_SPACE,       /* what the spill file system has free: no setting */
    LIMIT_KINDS
};

/* The name of the setting, as in the configuration. Empty: none. */
const char *limit_kind_name(enum limit_kind kind);

/* The kind with that name. */
enum limit_kind limit_kind_named(const char *name);
