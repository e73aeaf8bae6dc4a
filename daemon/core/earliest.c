/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When enough could come free: a pass over the leases that are due first. It adds the bytes of each to the bucket of
 * its end. The buckets grow with the time, so that few are enough, and nothing is sorted. Each bucket keeps its latest
 * end, so that the answer is never too early.
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

/* What is marked to be taken was counted when it was marked. */
static uint64_t gain_of(const struct broker *broker, const struct shortage *shortage, const struct lease *lease)
{
    if (shortage->counts_leases) {
        return 1;
    }
    return lease->revoke_at ? lease->bytes
                            : estimate_gain(broker, shortage->session, shortage->account, lease->session->share,
                                            lease->location, lease->bytes);
}

static void look(struct broker *broker, const struct shortage *shortage, uint64_t now, struct forecast *forecast,
                 size_t *looks)
{
    struct lease *lease = lease_table_first_due(&broker->leases);
    estimate_begin(broker);
    for (; lease && *looks > 0; lease = lease_table_next_due(lease)) {
        (*looks)--;
        bool counts = shortage->counts_leases || ledger_limit_counts(shortage->limit, lease->location);
        if (counts && account_is_descendant_of(&lease->session->account, shortage->account)) {
            uint64_t end = end_of(lease);
            size_t bucket = bucket_of(size_subtract_floored(end, now) / NANOSECONDS_PER_MILLISECOND);
            forecast->buckets[bucket].amount += gain_of(broker, shortage, lease);
            forecast->buckets[bucket].latest =
                end > forecast->buckets[bucket].latest ? end : forecast->buckets[bucket].latest;
        }
    }
}

static bool is_about(const struct forecast *forecast, const struct shortage *shortage)
{
    return forecast->account == shortage->account && forecast->share == shortage->session->share &&
           forecast->limit == shortage->limit && forecast->counts_leases == shortage->counts_leases;
}

static struct forecast *recall(struct broker *broker, const struct shortage *shortage, uint64_t now, size_t *looks)
{
    for (size_t i = 0; i < EARLIEST_REMEMBERED; i++) {
        struct forecast *forecast = &broker->forecast[i];
        if (forecast->at && is_about(forecast, shortage) && now - forecast->at < NANOSECONDS_PER_SECOND) {
            return forecast;
        }
    }
    struct forecast *forecast = &broker->forecast[broker->forecast_next];
    broker->forecast_next = (broker->forecast_next + 1) % EARLIEST_REMEMBERED;
    *forecast = (struct forecast){.account = shortage->account,
                                  .share = shortage->session->share,
                                  .limit = shortage->limit,
                                  .counts_leases = shortage->counts_leases,
                                  .at = now};
    look(broker, shortage, now, forecast, looks);
    return forecast;
}

uint64_t earliest_ms(struct broker *broker, const struct shortage *shortage, uint64_t now, size_t *looks)
{
    uint64_t freed = 0;
    if (shortage->lacking == 0) {
        return 0;
    }
    const struct forecast *forecast = recall(broker, shortage, now, looks);
    for (size_t i = 0; i < EARLIEST_BUCKETS; i++) {
        freed += forecast->buckets[i].amount;
        if (freed >= shortage->lacking) {
            return size_subtract_floored(forecast->buckets[i].latest, now) / NANOSECONDS_PER_MILLISECOND;
        }
    }
    return UINT64_MAX;
}
