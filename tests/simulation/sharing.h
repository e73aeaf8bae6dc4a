/* SPDX-License-Identifier: Apache-2.0 */
/* All that is shared in the world: blocks, small objects, and watches of names. */
#pragma once

#include "tests/simulation/putters.h"
#include "tests/simulation/sharers.h"
#include "tests/simulation/watchers.h"

struct sharing {
    struct sharers sharers;
    struct watchers watchers;
    struct putters putters;
};

void sharing_begin(struct sharing *sharing, const struct shell_kind *kind, struct shell *shell, uint64_t seed,
                   uint64_t now);
uint64_t sharing_next_action(const struct sharing *sharing);

/* Clients act, and then the rules are checked. */
void sharing_live(struct sharing *sharing, uint64_t now);

/* False: it is none of these clients'. */
bool sharing_take_reply(struct sharing *sharing, int number, const struct reply *reply, uint64_t now);
void sharing_lose_daemon(struct sharing *sharing, uint64_t now);
void sharing_end(struct sharing *sharing, uint64_t now);
