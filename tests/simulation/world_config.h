/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker is configured with. */
#pragma once

#include "daemon/config/config.h"

enum {
    WORLD_CLASSES = 3,
    WORLD_RAM_MIB = 64,
    WORLD_FILES_MIB = 32,
    WORLD_GRACE_MS = 20000,
    WORLD_RESERVED_MIB = 40, /* at most */
    WORLD_HOLD_MS = 30000,   /* of who is frozen or suspended */
    WORLD_SHARING_GRACE_MS = 4000,
};

/* The RAM that a class has reserved: in every other seed the later classes have some. */
static inline int world_class_reserve_mib(uint64_t seed, int class)
{
    return seed % 2 ? 4 * class : 0;
}

static inline int world_reserves_mib(uint64_t seed)
{
    int sum = 0;
    for (int class = 0; class < WORLD_CLASSES; class ++) {
        sum += world_class_reserve_mib(seed, class);
    }
    return sum;
}

/* A configuration in a directory of its own, and the end of that, by the socket's path. */
struct config *world_config(uint64_t seed);
void world_config_remove(const char *socket);

/* The next of a row of random numbers. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % bound;
}
