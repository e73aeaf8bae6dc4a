/* SPDX-License-Identifier: Apache-2.0 */
/* Noticing that one was away. Pure: the monotonic time is an argument. */
#include "daemon/runtime/service_clock.h"

#include "proto/base/size.h"

static uint64_t count_lateness(struct service_clock *clock, uint64_t monotonic)
{
    uint64_t tolerated = size_add_saturated(clock->expected, SERVICE_CLOCK_SLACK);
    if (!clock->expected || monotonic <= tolerated) {
        return 0;
    }
    uint64_t late = monotonic - clock->expected;
    clock->away += late;
    return late;
}

void service_clock_sleep(struct service_clock *clock, uint64_t monotonic, int timeout_ms)
{
    (void)count_lateness(clock, monotonic);
    clock->expected = timeout_ms < 0 ? 0 : monotonic + (uint64_t)timeout_ms * NANOSECONDS_PER_MILLISECOND;
}

uint64_t service_clock_wake(struct service_clock *clock, uint64_t monotonic)
{
    uint64_t late = count_lateness(clock, monotonic);
    clock->expected = monotonic; /* and so its own work, if it takes long, is counted at the next sleep */
    return late;
}
