/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation, the last resort, where the settings allow it: a request that has waited for the grace time may take
 * leases of lower priority. The lowest goes first, of those the newest, which has lost the least work. Its client is
 * told, and has the grace time to save what it can; the lease is spared if the request is served or gives up before.
 *
 * Nothing is taken for nothing: what all of them together would give is summed first, without what would only fill up
 * somebody's reserve, and if that is too little none is marked. The sums are kept by flow and location, so that to find
 * that there is nothing to take costs no look at any lease.
 */
#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

enum { VICTIMS_AT_ONCE = 60 }; /* marked for one request in one step: the queue leaves room for so many events */

static uint64_t grace(const struct broker *broker)
{
    return broker->options.settings.queue.revoke_grace_ms * NANOSECONDS_PER_MILLISECOND;
}

void revoke_enlist(struct lease *lease)
{
    struct flow *flow = lease->session->flow;
    lease_pile_add(lease->location == LOCATION_RAM ? &flow->ram : &flow->files, lease);
}

void revoke_delist(struct lease *lease)
{
    lease_pile_remove(lease);
}

/* ---- reckoning ---- */

/* For whom, and against which limit, leases are to be taken. */
struct need {
    const struct waiting *waiting;
    const struct account *account;
    enum ledger_limit limit;
};

void reckon_begin(struct broker *broker)
{
    struct account *account;
    LIST_FOREACH(account, &broker->reserves, in_reserves) {
        uint64_t leaving = account->freeing_physical_bytes + account->revoking_physical_bytes;
        account->spare_bytes = size_subtract_floored(account->physical_bytes, account->reserve_bytes + leaving);
    }
}

uint64_t reckon_gain(const struct broker *broker, const struct session *session, const struct account *short_of,
                     const struct flow *flow, enum location location, uint64_t bytes)
{
    struct party *const parties[] = {flow->user, flow->group, flow->class};
    uint64_t lost = 0;
    bool is_reserved = short_of == &broker->host && location == LOCATION_RAM;
    for (size_t i = 0; is_reserved && i < sizeof parties / sizeof *parties; i++) {
        struct account *account = parties[i] ? &parties[i]->account : NULL;
        if (account && account->reserve_bytes && !account_stands_under(&session->account, account)) {
            lost += size_subtract_floored(bytes, account->spare_bytes);
            account->spare_bytes = size_subtract_floored(account->spare_bytes, bytes);
        }
    }
    return size_subtract_floored(bytes, lost);
}

static bool may_take_from(const struct broker *broker, const struct need *need, const struct flow *flow)
{
    return flow->priority < need->waiting->flow->priority && flow_stands_under(&broker->parties, flow, need->account);
}

/* What could be gained in all. */
static uint64_t sum_of_gains(struct broker *broker, const struct need *need)
{
    struct flow *flow;
    uint64_t bytes = 0;
    reckon_begin(broker);
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        if (!may_take_from(broker, need, flow)) {
            continue;
        }
        if (ledger_limit_counts(need->limit, LOCATION_RAM)) {
            bytes += reckon_gain(broker, need->waiting->session, need->account, flow, LOCATION_RAM, flow->ram.bytes);
        }
        if (ledger_limit_counts(need->limit, LOCATION_MMAP)) {
            bytes += reckon_gain(broker, need->waiting->session, need->account, flow, LOCATION_MMAP, flow->files.bytes);
        }
    }
    return bytes;
}

/* What lacks, beside what is being freed, or was marked for this or another request. */
static uint64_t lacking(const struct ledger_excess *excess)
{
    uint64_t taken =
        size_add_saturated(size_add_saturated(excess->used_bytes, excess->reserved_bytes), excess->claimed_bytes);
    uint64_t coming =
        account_freeing(excess->account, excess->limit) + account_revoking(excess->account, excess->limit);
    return size_subtract_floored(size_add_saturated(taken, excess->asked_bytes),
                                 size_add_saturated(excess->limit_bytes, coming));
}

/* ---- taking ---- */

static void walk_begin(struct broker *broker, const struct need *need)
{
    struct flow *flow;
    reckon_begin(broker);
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        bool may = may_take_from(broker, need, flow);
        bool in_ram = may && ledger_limit_counts(need->limit, LOCATION_RAM);
        bool in_files = may && ledger_limit_counts(need->limit, LOCATION_MMAP);
        flow->next_in_ram = in_ram ? lease_pile_newest(&flow->ram) : NULL;
        flow->next_in_files = in_files ? lease_pile_newest(&flow->files) : NULL;
    }
}

static bool goes_first(const struct lease *lease, const struct lease *best)
{
    uint32_t priority = lease ? lease->session->flow->priority : 0;
    if (!lease || !best || priority != best->session->flow->priority) {
        return lease && (!best || priority < best->session->flow->priority);
    }
    return lease->id > best->id;
}

/* The next lease to be taken: of the lowest priority, and of those the newest. */
static struct lease *walk_next(struct broker *broker)
{
    struct flow *flow;
    struct lease *best = NULL;
    struct lease **cursor = NULL;
    TAILQ_FOREACH(flow, &broker->parties.flows, in_table) {
        struct lease **const cursors[] = {&flow->next_in_ram, &flow->next_in_files};
        for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
            if (goes_first(*cursors[i], best)) {
                cursor = cursors[i];
                best = *cursor;
            }
        }
    }
    if (best) {
        *cursor = lease_pile_older(best);
    }
    return best;
}

static void mark(struct step *step, struct lease *lease, struct waiting *waiting)
{
    struct broker *broker = step->broker;
    revoke_delist(lease);
    ledger_revoke(&lease->session->account, lease->location, lease->bytes, true);
    lease->revoking_bytes = lease->bytes;
    lease->revoke_at = step->now + grace(broker);
    lease->revoke_for = waiting;
    TAILQ_INSERT_TAIL(&waiting->victims, lease, in_victims);
    TAILQ_INSERT_TAIL(&broker->revoking, lease, in_revoking);
    if (lease->session->state == SESSION_CONNECTED) {
        tell(step, lease->session->peer, EVENT_REVOKING)->revoking =
            (struct expiring_event){lease->id, grace(broker) / NANOSECONDS_PER_MILLISECOND};
    }
}

/* Whether what lacks has been marked, or is now; if all of it together would not do, nobody loses anything. */
static bool take_for(struct step *step, struct waiting *waiting, const struct ledger_excess *excess)
{
    struct broker *broker = step->broker;
    const struct need need = {.waiting = waiting, .account = excess->account, .limit = excess->limit};
    uint64_t lacks = lacking(excess);
    if (lacks == 0 || sum_of_gains(broker, &need) < lacks) {
        return lacks == 0;
    }
    walk_begin(broker, &need);
    for (int i = 0; i < VICTIMS_AT_ONCE && lacks > 0; i++) {
        struct lease *victim = walk_next(broker);
        uint64_t gained = victim ? reckon_gain(broker, waiting->session, need.account, victim->session->flow,
                                               victim->location, victim->bytes)
                                 : 0;
        if (gained > 0) {
            mark(step, victim, waiting);
        }
        lacks = victim ? size_subtract_floored(lacks, gained) : 0; /* overlapping reserves can leave some */
    }
    if (lacks > 0) {
        broker->retry_waiting = true; /* the next step goes on */
    }
    return true;
}

void revoke_for(struct step *step, struct waiting *waiting, const struct denial *denial)
{
    struct broker *broker = step->broker;
    bool is_allowed = broker->options.settings.queue.revoke_for_priority && waiting->until &&
                      waiting->flow->priority > 0 && step->now - waiting->since >= grace(broker);
    if (is_allowed && denial->code == ERROR_LIMIT && take_for(step, waiting, &denial->excess)) {
        return;
    }
    if (is_allowed && denial->in_ram_code == ERROR_LIMIT) {
        (void)take_for(step, waiting, &denial->in_ram);
    }
}

void revoke_forget(struct broker *broker, struct lease *lease)
{
    if (lease->revoke_at) {
        TAILQ_REMOVE(&broker->revoking, lease, in_revoking);
        TAILQ_REMOVE(&lease->revoke_for->victims, lease, in_victims);
        ledger_revoke(&lease->session->account, lease->location, lease->revoking_bytes, false);
        lease->revoke_at = 0;
    }
}

void revoke_spare(struct broker *broker, struct waiting *waiting)
{
    struct lease *lease;
    while ((lease = TAILQ_FIRST(&waiting->victims))) {
        revoke_forget(broker, lease);
        revoke_enlist(lease);
    }
}

void revoke_due(struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease;
    while ((lease = TAILQ_FIRST(&broker->revoking)) && lease->revoke_at <= step->now &&
           effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE) {
        lease_end(step, lease, END_REVOKED);
    }
}
