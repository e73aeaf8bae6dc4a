/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation, the last resort, if the settings allow it: a request that has waited for the grace time may take leases
 * of lower priority. Their clients are told, and have the grace time to save their work. If no request needs a lease
 * any more, it is spared, and its client is told.
 *
 * Which. The lowest priority first; a higher one loses only what all lower ones can't give. Within a priority the
 * smallest lease that is enough alone; if there is none, the largest, and then the same for the rest. Of leases of one
 * size the newest, which loses the least work. At the end each lease that the others make unnecessary is left out, the
 * highest priority first, then the largest.
 *
 * No lease is taken in vain: the bytes of all that may be taken are summed first, without those that would only fill a
 * reserve. If the sum is too small, none is marked. The sums are kept by share and location, so a request for which
 * nothing can be taken costs no look at any lease.
 *
 * Review. Each pass over the queue notes at each account how much its requests still need. After the pass a lease is
 * spared if all accounts above it have enough without it. No lease is taken between a change and the next pass.
 */
#include "daemon/core/revoke.h"

#include <string.h>

#include "daemon/core/answer.h"
#include "daemon/core/ending.h"
#include "daemon/core/estimate.h"
#include "daemon/core/revocable.h"
#include "daemon/core/victim.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum {
    VICTIMS_AT_ONCE = 60,   /* marked for one request in one step: the queue leaves room for so many events */
    REVIEWED_AT_ONCE = 256, /* those that are due first */
    SPARED_AT_ONCE = 32,    /* in one pass */
};

/* ---- estimates ---- */

/* For whom, and against which limit, leases are to be taken. */
struct need {
    const struct waiting *waiting;
    const struct account *account;
    enum ledger_limit limit;
};

static bool may_take_from(const struct broker *broker, const struct need *need, const struct share *share)
{
    return share->priority < need->waiting->share->priority &&
           share_is_descendant_of(&broker->principals, share, need->account);
}

/* What could be gained in all. */
static uint64_t sum_of_gains(struct broker *broker, const struct need *need)
{
    struct share *share;
    uint64_t bytes = 0;
    estimate_begin(broker);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        if (!may_take_from(broker, need, share)) {
            continue;
        }
        FOR_EACH_LOCATION(location)
        {
            uint64_t held = ledger_limit_counts(need->limit, location) ? share->revocable[location].bytes : 0;
            bytes += estimate_gain(broker, need->waiting->session, need->account, share, location, held);
        }
    }
    return bytes;
}

/* What has to be taken, beside what is being freed. */
static uint64_t needed(const struct ledger_excess *excess)
{
    return ledger_lacks(excess, ledger_counted(excess->account->freeing, excess->limit));
}

/* What was marked for this or another request. */
static uint64_t coming(const struct broker *broker, const struct account *account, enum ledger_limit limit)
{
    bool has_vain = account == &broker->host && ledger_limit_counts(limit, LOCATION_POOLED);
    return size_subtract_floored(ledger_counted(account->revoking, limit), has_vain ? broker->revoking_vain : 0);
}

/* So much is needed in all, by those that were looked at in this pass. */
static void note_need(const struct broker *broker, struct session *session, const struct ledger_excess *excess)
{
    for (size_t i = 0; i <= ACCOUNT_ABOVE_MAX; i++) {
        struct account *account = i == 0 ? &session->account : session->account.above[i - 1];
        if (account != excess->account) {
            continue;
        }
        if (account->needed_in_pass != broker->pass) {
            account->needed_in_pass = broker->pass;
            memset(account->needed_bytes, 0, sizeof account->needed_bytes);
        }
        uint64_t *need = &account->needed_bytes[excess->limit];
        *need = needed(excess) > *need ? needed(excess) : *need;
    }
}

/* ---- marking ---- */

static struct lease *better(struct lease *a, struct lease *b, uint64_t lacks)
{
    if (!a || !b) {
        return a ? a : b;
    }
    uint32_t priority_a = a->session->share->priority, priority_b = b->session->share->priority;
    if (priority_a != priority_b) {
        return priority_a < priority_b ? a : b;
    }
    if ((a->bytes >= lacks) != (b->bytes >= lacks)) {
        return a->bytes >= lacks ? a : b;
    }
    if (a->bytes != b->bytes) {
        return (a->bytes < b->bytes) == (a->bytes >= lacks) ? a : b;
    }
    return a->id > b->id ? a : b;
}

static struct lease *best_of(struct revocable_set *set, uint64_t lacks)
{
    struct lease *enough = revocable_smallest(set, lacks);
    return enough ? enough : revocable_largest(set);
}

/* The next lease to be taken, where so much lacks. */
static struct lease *choose(struct broker *broker, const struct need *need, uint64_t lacks)
{
    struct share *share;
    struct lease *best = NULL;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        if (!may_take_from(broker, need, share)) {
            continue;
        }
        FOR_EACH_LOCATION(location)
        {
            bool is_reserved = location_is_memory(location) && share->is_exhausted;
            if (ledger_limit_counts(need->limit, location) && !is_reserved) {
                best = better(best, best_of(&share->revocable[location], lacks), lacks);
            }
        }
    }
    return best;
}

/* Which of two is spared rather: of the higher priority, the larger, the older. */
static struct lease *dearer(struct lease *a, struct lease *b)
{
    uint32_t priority_a = a->session->share->priority, priority_b = b ? b->session->share->priority : 0;
    if (!b || priority_a != priority_b) {
        return !b || priority_a > priority_b ? a : b;
    }
    if (a->bytes != b->bytes) {
        return a->bytes > b->bytes ? a : b;
    }
    return a->id < b->id ? a : b;
}

/* Leaves out of what was marked just now what is not needed beside the others. */
static void leave_out(struct broker *broker, struct waiting *waiting, uint64_t surplus)
{
    struct lease *lease, *best;
    do {
        best = NULL;
        TAILQ_FOREACH(lease, &waiting->victims, in_victims) {
            if (!lease->revoking_told && lease->revoking_gain <= surplus) {
                best = dearer(lease, best);
            }
        }
        if (best) {
            surplus -= best->revoking_gain;
            victim_spare(broker, best);
        }
    } while (best);
}

static void tell_victims(struct step *step, const struct waiting *waiting)
{
    struct lease *lease;
    TAILQ_FOREACH(lease, &waiting->victims, in_victims) {
        const struct session *session = lease->session;
        if (!lease->revoking_told && session->state == SESSION_CONNECTED) {
            answer_event(step, session->peer, EVENT_REVOKING)->revoking =
                (struct expiring_event){lease->id, victim_grace(step->broker) / NANOSECONDS_PER_MILLISECOND};
        }
        lease->revoking_told = true;
    }
}

static void begin_choosing(struct broker *broker)
{
    struct share *share;
    estimate_begin(broker);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        share->is_exhausted = false;
    }
}

/* Marks what lacks, or as much of it as one step may. Returns what was gained; less only if the next step is to go on.
 */
static uint64_t mark_for(struct step *step, const struct need *need, struct waiting *waiting, uint64_t lacks)
{
    struct broker *broker = step->broker;
    uint64_t gained = 0;
    int count = 0;
    begin_choosing(broker);
    while (count < VICTIMS_AT_ONCE && gained < lacks) {
        struct lease *victim = choose(broker, need, lacks - gained);
        if (!victim) { /* overlapping reserves can leave some */
            return lacks;
        }
        struct share *share = victim->session->share;
        uint64_t gain = estimate_gain(broker, waiting->session, need->account, share, victim->location, victim->bytes);
        if (gain == 0) {
            share->is_exhausted = true; /* the rest of it is reserved */
            continue;
        }
        victim_mark(step, victim, waiting, gain);
        gained += gain;
        count++;
    }
    return gained;
}

/* Whether what lacks has been marked, or is now; if all of them together are too little, none is taken. */
static bool take_for(struct step *step, struct waiting *waiting, const struct ledger_excess *excess)
{
    struct broker *broker = step->broker;
    const struct need need = {.waiting = waiting, .account = excess->account, .limit = excess->limit};
    uint64_t lacks = size_subtract_floored(needed(excess), coming(broker, excess->account, excess->limit));
    if (lacks > 0 && sum_of_gains(broker, &need) < lacks) {
        return false;
    }
    note_need(broker, waiting->session, excess);
    if (lacks > 0) {
        uint64_t gained = mark_for(step, &need, waiting, lacks);
        leave_out(broker, waiting, size_subtract_floored(gained, lacks));
        tell_victims(step, waiting);
        broker->retry_waiting = broker->retry_waiting || gained < lacks; /* the next step goes on */
    }
    return true;
}

void revoke_for(struct step *step, struct waiting *waiting, const struct denial *denial)
{
    struct broker *broker = step->broker;
    bool is_allowed = broker->options.settings.queue.revoke_for_priority && waiting->until &&
                      waiting->share->priority > 0 && step->now - waiting->since >= victim_grace(broker);
    if (is_allowed && denial->code == ERROR_LIMIT && take_for(step, waiting, &denial->excess)) {
        return;
    }
    if (is_allowed && denial->in_ram_code == ERROR_LIMIT) {
        (void)take_for(step, waiting, &denial->in_ram);
    }
}

/* ---- review ---- */

static bool has_enough_without(const struct broker *broker, const struct account *account, const struct lease *lease)
{
    bool has_enough = true;
    for (enum ledger_limit limit = 0; limit < LEDGER_LIMITS; limit++) {
        bool is_needed = account->needed_in_pass == broker->pass && account->needed_bytes[limit] > 0;
        uint64_t bytes = account == &broker->host ? lease->revoking_gain : lease->revoking_bytes;
        if (is_needed && ledger_limit_counts(limit, lease->location)) {
            has_enough = has_enough && coming(broker, account, limit) >= account->needed_bytes[limit] + bytes;
        }
    }
    return has_enough;
}

static bool is_superfluous(const struct broker *broker, const struct lease *lease)
{
    const struct account *own = &lease->session->account;
    bool is_superfluous = has_enough_without(broker, own, lease);
    for (size_t i = 0; is_superfluous && i < ACCOUNT_ABOVE_MAX; i++) {
        is_superfluous = !own->above[i] || has_enough_without(broker, own->above[i], lease);
    }
    return is_superfluous;
}

void revoke_review(struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease, *best = NULL;
    int spared = 0;
    do {
        int looks = 0;
        best = NULL;
        TAILQ_FOREACH(lease, &broker->revoking, in_revoking) {
            if (looks++ == REVIEWED_AT_ONCE) {
                break;
            }
            best = is_superfluous(broker, lease) ? dearer(lease, best) : best;
        }
        if (best) {
            victim_spare(broker, best);
            spared++;
        }
    } while (best && spared < SPARED_AT_ONCE);
    broker->retry_waiting = broker->retry_waiting || best; /* there may be more */
}

/* ---- taking ---- */

static struct effect_cause cause_of(const struct waiting *waiting)
{
    const struct session *session = waiting->session;
    struct effect_cause cause = {.is_request = true,
                                 .session = session->id,
                                 .pid = session->identity.pid,
                                 .uid = session->identity.uid,
                                 .bytes = waiting->demand.bytes};
    text_copy(cause.client, sizeof cause.client, session->name);
    return cause;
}

static void take_due(struct step *step)
{
    struct broker *broker = step->broker;
    struct lease *lease;
    while ((lease = TAILQ_FIRST(&broker->revoking)) && lease->revoke_at <= step->now &&
           effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE) {
        const struct effect_cause cause = cause_of(lease->revoke_for);
        ending_revoked(step, lease, &cause);
    }
}

static void tell_spared(struct step *step)
{
    struct lease *lease;
    while ((lease = TAILQ_FIRST(&step->broker->spared)) && effect_room(step->effects) > EFFECTS_FOR_ONE_LEASE) {
        victim_told(step->broker, lease);
        if (lease->session->state == SESSION_CONNECTED) {
            answer_event(step, lease->session->peer, EVENT_SPARED)->spared_lease = lease->id;
        }
    }
}

void revoke_work(struct step *step, bool is_tick)
{
    if (is_tick && !step->broker->retry_waiting) { /* else the pass over the queue may spare some leases first */
        take_due(step);
    }
    tell_spared(step);
}

uint64_t revoke_next_wakeup(const struct broker *broker)
{
    const struct lease *lease = TAILQ_FIRST(&broker->revoking);
    if (!TAILQ_EMPTY(&broker->spared)) {
        return 0;
    }
    if (!lease) {
        return UINT64_MAX;
    }
    bool waits_for_pass = broker->retry_waiting && broker->next_pass > lease->revoke_at;
    return waits_for_pass ? broker->next_pass : lease->revoke_at;
}
