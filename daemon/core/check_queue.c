/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait, and the leases that will be taken for them. */
#include "daemon/core/check.h"

#include "daemon/core/revoke.h"

struct counts {
    uint64_t waiting, bytes, victims;
};

static const char *check_victims(const struct waiting *waiting, struct counts *counts)
{
    const struct lease *lease;
    const char *wrong = NULL;
    TAILQ_FOREACH(lease, &waiting->victims, in_victims) {
        wrong = require(wrong, lease->revoke_for == waiting && lease->revoke_at,
                        "a lease is among the victims of a request that it is not marked for");
        counts->victims++;
    }
    return wrong;
}

static const char *check_share(const struct broker *broker, const struct share *share, struct counts *counts)
{
    const struct waiting *waiting;
    const char *wrong = NULL;
    uint64_t last = 0;
    TAILQ_FOREACH(waiting, &share->waiting, in_share) {
        bool is_right = waiting->share == share && waiting->session->share == share && waiting->number > last;
        wrong = require(wrong, is_right, "a waiting request stands in the wrong place");
        wrong = require(wrong, waiting->number <= broker->next_waiting, "a request's number was not given out yet");
        wrong = require(wrong, !waiting->has_claimed, "a request claims between passes (has_claimed)");
        wrong = wrong ? wrong : check_victims(waiting, counts);
        last = waiting->number;
        counts->waiting++;
        counts->bytes += waiting->demand.bytes;
    }
    return wrong;
}

const char *check_queue(const struct broker *broker)
{
    const struct share *share;
    const struct lease *lease;
    struct counts counts = {0};
    const char *wrong = NULL;
    uint64_t marked = 0, vain = 0;
    uint64_t told_at = TAILQ_EMPTY(&broker->spared) ? 0 : broker_next_wakeup(broker);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        wrong = wrong ? wrong : check_share(broker, share, &counts);
    }
    TAILQ_FOREACH(lease, &broker->revoking, in_revoking) {
        vain += lease->revoking_bytes - lease->revoking_gain;
        marked++;
    }
    TAILQ_FOREACH(lease, &broker->spared, in_revoking) {
        wrong = require(wrong, lease->is_spared && !lease->revoke_at, "a lease that is not spared is to be told so");
    }
    wrong = require(wrong, told_at == 0, "a lease is spared and is not told so");
    wrong = require(wrong, vain == broker->revoking_vain, "revoking_vain is not what is held back of what is taken");
    wrong = require(wrong, counts.waiting == broker->waiting_count, "waiting_count is not the number that waits");
    wrong = require(wrong, counts.bytes == broker->waiting_bytes, "waiting_bytes is not what the waiting ask for");
    return require(wrong, counts.victims == marked, "a lease that will be taken is nobody's victim");
}
