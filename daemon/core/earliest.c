/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When enough could come free: a pass over the leases that are due first, which files what each gives back under the
 * time of its end. Not sorted: there are few times, each a little later than the one before it, and each knows the
 * latest end in it, so that what is said is never too early.
 */
#include "daemon/core/earliest.h"

#include "daemon/core/deadline.h"
#include "daemon/core/estimate.h"
#include "proto/base/size.h"

static size_t bucket_of(uint64_t milliseconds)
{
    if (milliseconds < 16) {
        return (size_t)milliseconds;
    }
    unsigned doublings = 63 - (unsigned)__builtin_clzll(milliseconds);
    size_t bucket = 16 + (doublings - 4) * 8 + (size_t)((milliseconds >> (doublings - 3)) & 7);
    return bucket < EARLIEST_BUCKETS ? bucket : EARLIEST_BUCKETS - 1;
}

static uint64_t end_of(const struct lease *lease)
{
    uint64_t end = deadline_of(lease);
    return lease->revoke_at ? size_min(end, lease->revoke_at) : end;
}

/* What is marked to be taken was reckoned with when it was marked. */
static uint64_t gain_of(const struct broker *broker, const struct shortage *shortage, const struct lease *lease)
{
    if (shortage->counts_leases) {
        return 1;
    }
    return lease->revoke_at ? lease->bytes
                            : estimate_gain(broker, shortage->session, shortage->account, lease->session->flow,
                                            lease->location, lease->bytes);
}

static void look(struct broker *broker, const struct shortage *shortage, uint64_t now, struct coming_free *coming,
                 size_t *looks)
{
    struct lease *lease = lease_table_first_due(&broker->leases);
    estimate_begin(broker);
    for (; lease && *looks > 0; lease = lease_table_next_due(lease)) {
        (*looks)--;
        bool counts = shortage->counts_leases || ledger_limit_counts(shortage->limit, lease->location);
        if (counts && account_stands_under(&lease->session->account, shortage->account)) {
            uint64_t end = end_of(lease);
            size_t bucket = bucket_of(size_subtract_floored(end, now) / NANOSECONDS_PER_MILLISECOND);
            coming->buckets[bucket].amount += gain_of(broker, shortage, lease);
            coming->buckets[bucket].latest =
                end > coming->buckets[bucket].latest ? end : coming->buckets[bucket].latest;
        }
    }
}

static bool is_about(const struct coming_free *coming, const struct shortage *shortage)
{
    return coming->account == shortage->account && coming->flow == shortage->session->flow &&
           coming->limit == shortage->limit && coming->counts_leases == shortage->counts_leases;
}

static struct coming_free *recall(struct broker *broker, const struct shortage *shortage, uint64_t now, size_t *looks)
{
    for (size_t i = 0; i < EARLIEST_REMEMBERED; i++) {
        struct coming_free *coming = &broker->coming_free[i];
        if (coming->at && is_about(coming, shortage) && now - coming->at < NANOSECONDS_PER_SECOND) {
            return coming;
        }
    }
    struct coming_free *coming = &broker->coming_free[broker->coming_free_next];
    broker->coming_free_next = (broker->coming_free_next + 1) % EARLIEST_REMEMBERED;
    *coming = (struct coming_free){.account = shortage->account,
                                   .flow = shortage->session->flow,
                                   .limit = shortage->limit,
                                   .counts_leases = shortage->counts_leases,
                                   .at = now};
    look(broker, shortage, now, coming, looks);
    return coming;
}

uint64_t earliest_ms(struct broker *broker, const struct shortage *shortage, uint64_t now, size_t *looks)
{
    uint64_t freed = 0;
    if (shortage->lacking == 0) {
        return 0;
    }
    const struct coming_free *coming = recall(broker, shortage, now, looks);
    for (size_t i = 0; i < EARLIEST_BUCKETS; i++) {
        freed += coming->buckets[i].amount;
        if (freed >= shortage->lacking) {
            return size_subtract_floored(coming->buckets[i].latest, now) / NANOSECONDS_PER_MILLISECOND;
        }
    }
    return UINT64_MAX;
}
