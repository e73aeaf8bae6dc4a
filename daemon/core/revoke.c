/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation, the last resort, where the settings allow it: a request that has waited for the grace time may take
 * leases of lower priority. The lowest goes first, of those the newest, which has lost the least work. Its client is
 * told, and has the grace time to save what it can; the lease is spared if the request is served or gives up before.
 */
#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

static uint64_t grace(const struct broker *broker)
{
    return broker->options.settings.queue.revoke_grace_ms * NANOSECONDS_PER_MILLISECOND;
}

/* A session that is over has no lease left here: the queue is not looked at before they have all ended. */
static bool would_help(const struct lease *lease, const struct waiting *waiting, const struct denial *denial)
{
    enum ledger_limit limit = denial_limit(denial);
    bool counts = limit == LEDGER_MAX_BYTES || (limit == LEDGER_MAX_PHYSICAL_BYTES ? lease->location == LOCATION_RAM
                                                                                   : lease->location == LOCATION_MMAP);
    return lease->state == LEASE_ALIVE && counts && lease->session->flow->priority < waiting->flow->priority &&
           account_stands_under(&lease->session->account, denial->excess.account);
}

/* What is marked for this request already. */
static uint64_t marked_bytes(const struct broker *broker, const struct waiting *waiting)
{
    const struct lease *lease;
    uint64_t bytes = 0;
    TAILQ_FOREACH(lease, &broker->revoking, in_revoking) {
        bytes += lease->revoke_for == waiting->number ? lease->bytes : 0;
    }
    return bytes;
}

static struct lease *find_victim(const struct broker *broker, const struct waiting *waiting,
                                 const struct denial *denial)
{
    struct lease *best = NULL, *lease = lease_table_next(&broker->leases, 0);
    for (; lease; lease = lease_table_next(&broker->leases, lease->id)) {
        bool is_lower = !best || lease->session->flow->priority <= best->session->flow->priority;
        if (is_lower && !lease->revoke_at && would_help(lease, waiting, denial)) {
            best = lease;
        }
    }
    return best;
}

static void mark(struct step *step, struct lease *lease, const struct waiting *waiting)
{
    struct broker *broker = step->broker;
    lease->revoke_at = step->now + grace(broker);
    lease->revoke_for = waiting->number;
    TAILQ_INSERT_TAIL(&broker->revoking, lease, in_revoking);
    if (lease->session->state == SESSION_CONNECTED) {
        tell(step, lease->session->peer, EVENT_REVOKING)->revoking =
            (struct expiring_event){lease->id, grace(broker) / NANOSECONDS_PER_MILLISECOND};
    }
}

static uint64_t lacking(const struct denial *denial)
{
    const struct ledger_excess *excess = &denial->excess;
    uint64_t taken =
        size_add_saturated(size_add_saturated(excess->used_bytes, excess->reserved_bytes), excess->claimed_bytes);
    return size_subtract_floored(excess->asked_bytes, size_subtract_floored(excess->limit_bytes, taken));
}

void revoke_for(struct step *step, const struct waiting *waiting, const struct denial *denial)
{
    struct broker *broker = step->broker;
    bool is_allowed = broker->options.settings.queue.revoke_for_priority && denial->code == ERROR_LIMIT &&
                      waiting->until && step->now - waiting->since >= grace(broker);
    if (!is_allowed || waiting->flow->priority == 0 || denial->excess.frees_suffice) {
        return;
    }
    uint64_t marked = marked_bytes(broker, waiting);
    while (marked < lacking(denial) && effect_room(step->effects) > EFFECTS_FOR_ONE_LEASE) {
        struct lease *victim = find_victim(broker, waiting, denial);
        if (!victim) {
            return;
        }
        mark(step, victim, waiting);
        marked += victim->bytes;
    }
}

void revoke_forget(struct broker *broker, struct lease *lease)
{
    if (lease->revoke_at) {
        TAILQ_REMOVE(&broker->revoking, lease, in_revoking);
        lease->revoke_at = 0;
    }
}

static bool still_waits(const struct broker *broker, uint64_t number)
{
    const struct flow *flow;
    const struct waiting *waiting;
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        TAILQ_FOREACH(waiting, &flow->waiting, in_flow) {
            if (waiting->number == number) {
                return true;
            }
        }
    }
    return false;
}

void revoke_due(struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease;
    while ((lease = TAILQ_FIRST(&broker->revoking)) && lease->revoke_at <= step->now &&
           effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE) {
        uint64_t number = lease->revoke_for;
        revoke_forget(broker, lease);
        if (still_waits(broker, number)) {
            lease_end(step, lease, END_REVOKED);
        }
    }
}
