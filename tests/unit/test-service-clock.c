/* SPDX-License-Identifier: Apache-2.0 */
/* The service clock stops while the daemon is stopped. */
#include <criterion/criterion.h>

#include "daemon/runtime/service_clock.h"

#define MS UINT64_C(1000000)

Test(service_clock, sleeping_as_planned_does_not_count_as_stopped)
{
    struct service_clock clock = {0};
    service_clock_sleep(&clock, 1000 * MS, 250);
    cr_expect_eq(service_clock_wake(&clock, 1250 * MS), 0);
    service_clock_sleep(&clock, 1255 * MS, 250);
    cr_expect_eq(service_clock_wake(&clock, 1300 * MS), 0, "woken early, by input");
    service_clock_sleep(&clock, 1300 * MS, 100);
    cr_expect_eq(service_clock_wake(&clock, 1400 * MS + SERVICE_CLOCK_SLACK), 0, "a little late is ordinary");
    cr_expect_eq(service_clock_time(&clock, 1400 * MS), 1400 * MS);
}

Test(service_clock, waking_late_moves_the_clock_back_by_the_lateness)
{
    struct service_clock clock = {0};
    service_clock_sleep(&clock, 1000 * MS, 250);
    cr_expect_eq(service_clock_wake(&clock, 6250 * MS), 5000 * MS);
    cr_expect_eq(clock.away, 5000 * MS);
    cr_expect_eq(service_clock_time(&clock, 6250 * MS), 1250 * MS, "as if it had woken in time");
}

Test(service_clock, being_stuck_in_its_own_work_counts_as_stopped)
{
    struct service_clock clock = {0};
    service_clock_sleep(&clock, 1000 * MS, 0);
    (void)service_clock_wake(&clock, 1000 * MS);
    service_clock_sleep(&clock, 3000 * MS, 250);
    cr_expect_eq(clock.away, 2000 * MS);
    (void)service_clock_wake(&clock, 3250 * MS);
    cr_expect_eq(clock.away, 2000 * MS, "and once");
}

Test(service_clock, sleeping_forever_is_never_late)
{
    struct service_clock clock = {0};
    service_clock_sleep(&clock, 1000 * MS, -1);
    cr_expect_eq(service_clock_wake(&clock, 900000 * MS), 0);
    cr_expect_eq(clock.away, 0);
}
