/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sharing.h"

#include "proto/base/size.h"

void sharing_begin(struct sharing *sharing, const struct shell_kind *kind, struct shell *shell, uint64_t seed,
                   uint64_t now)
{
    sharers_begin(&sharing->sharers, kind, shell, seed, now);
    watchers_begin(&sharing->watchers, kind, shell, &sharing->sharers.rules, seed, now);
    putters_begin(&sharing->putters, kind, shell, seed, now);
}

uint64_t sharing_next_action(const struct sharing *sharing)
{
    uint64_t next = size_min(sharers_next_action(&sharing->sharers), watchers_next_action(&sharing->watchers));
    return size_min(next, putters_next_action(&sharing->putters));
}

void sharing_live(struct sharing *sharing, uint64_t now)
{
    sharers_act(&sharing->sharers, now);
    watchers_act(&sharing->watchers, now);
    putters_act(&sharing->putters, now);
    sharers_check(&sharing->sharers, now);
    watchers_check(&sharing->watchers, now);
}

bool sharing_take_reply(struct sharing *sharing, int number, const struct reply *reply, uint64_t now)
{
    if (number == SCHEDULER || number < FIRST_PUTTER) {
        return false;
    }
    if (number >= FIRST_SHARER) {
        sharers_take_reply(&sharing->sharers, number, reply, now);
    } else if (number >= FIRST_WATCHER) {
        watchers_take_reply(&sharing->watchers, number, reply, now);
    } else {
        putters_take_reply(&sharing->putters, number, reply);
    }
    return true;
}

void sharing_lose_daemon(struct sharing *sharing, uint64_t now)
{
    sharers_lose_daemon(&sharing->sharers, now);
    watchers_lose_daemon(&sharing->watchers, now);
    putters_lose_daemon(&sharing->putters, now);
}

void sharing_end(struct sharing *sharing, uint64_t now)
{
    sharers_end(&sharing->sharers, now);
    watchers_end(&sharing->watchers);
    putters_end(&sharing->putters, now);
}
