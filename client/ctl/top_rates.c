/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_rates.h"

/* A counter that is smaller than before has begun again. */
static double rate_of(uint64_t before, uint64_t now, double seconds)
{
    return (double)(now >= before ? now - before : now) / seconds;
}

void rates_note(struct rates *rates, uint64_t now_ms, const struct broker_counters *counters)
{
    if (rates->has_last && now_ms <= rates->last_ms) {
        return;
    }
    if (rates->has_last) {
        double seconds = (double)(now_ms - rates->last_ms) / 1000.0;
        rates->granted = rate_of(rates->last.granted, counters->granted, seconds);
        rates->refused = rate_of(rates->last.refused, counters->refused, seconds);
        rates->expired = rate_of(rates->last.expired, counters->expired, seconds);
        rates->is_known = true;
    }
    rates->has_last = true;
    rates->last_ms = now_ms;
    rates->last = *counters;
}
