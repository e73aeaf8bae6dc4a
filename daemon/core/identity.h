/* SPDX-License-Identifier: Apache-2.0 */
/* The process at the other end of a connection, as the kernel identifies it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { IDENTITY_GROUPS_MAX = 16 }; /* supplementary groups that are looked at; more are not */

struct identity {
    int32_t pid; /* 0 where the kernel can't tell (another pid namespace) */
    uint32_t uid, gid;
    uint32_t group_count;
    uint32_t groups[IDENTITY_GROUPS_MAX];
    bool has_more_groups; /* than are looked at */
    bool has_owner;       /* it comes from a user namespace, whose owner is charged for it */
    uint32_t owner;
};

/* One account for all of whom the kernel does not tell in whose namespace they were. */
#define IDENTITY_UNKNOWN_OWNER UINT32_MAX

/* The user who is charged. Rights go by `uid`. */
static inline uint32_t identity_charged(const struct identity *identity)
{
    return identity->has_owner ? identity->owner : identity->uid;
}

static inline bool identity_has_group(const struct identity *identity, uint32_t gid)
{
    bool found = identity->gid == gid;
    for (uint32_t i = 0; !found && i < identity->group_count; i++) {
        found = identity->groups[i] == gid;
    }
    return found;
}
