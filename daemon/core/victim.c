/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/victim.h"

#include "daemon/core/revocable.h"
#include "daemon/core/revoke.h"
#include "proto/base/size.h"

uint64_t victim_grace(const struct broker *broker)
{
    return broker->options.settings.queue.revoke_grace_ms * NANOSECONDS_PER_MILLISECOND;
}

void victim_told(struct broker *broker, struct lease *lease)
{
    if (lease->is_spared) {
        TAILQ_REMOVE(&broker->spared, lease, in_revoking);
        lease->is_spared = false;
    }
}

void victim_mark(struct step *step, struct lease *lease, struct waiting *waiting, uint64_t gain)
{
    struct broker *broker = step->broker;
    victim_told(broker, lease);
    revocable_remove(lease);
    ledger_revoke(&lease->session->account, lease->location, lease->bytes, true);
    lease->revoking_bytes = lease->bytes;
    lease->revoking_gain = gain;
    lease->revoking_told = false;
    broker->revoking_vain += lease->bytes - gain;
    lease->revoke_at = step->now + victim_grace(broker);
    lease->revoke_for = waiting;
    TAILQ_INSERT_TAIL(&waiting->victims, lease, in_victims);
    TAILQ_INSERT_TAIL(&broker->revoking, lease, in_revoking);
}

static void unmark(struct broker *broker, struct lease *lease)
{
    TAILQ_REMOVE(&broker->revoking, lease, in_revoking);
    TAILQ_REMOVE(&lease->revoke_for->victims, lease, in_victims);
    ledger_revoke(&lease->session->account, lease->location, lease->revoking_bytes, false);
    broker->revoking_vain -= lease->revoking_bytes - lease->revoking_gain;
    lease->revoke_at = 0;
}

void victim_spare(struct broker *broker, struct lease *lease)
{
    unmark(broker, lease);
    revocable_insert(lease);
    if (lease->revoking_told) {
        lease->is_spared = true;
        TAILQ_INSERT_TAIL(&broker->spared, lease, in_revoking);
    }
}

void victim_spare_all(struct broker *broker, struct waiting *waiting)
{
    struct lease *lease;
    while ((lease = TAILQ_FIRST(&waiting->victims))) {
        victim_spare(broker, lease);
    }
}

void victim_forget(struct broker *broker, struct lease *lease)
{
    if (lease->revoke_at) {
        unmark(broker, lease);
    }
    victim_told(broker, lease);
}
