/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service clock: the monotonic clock, less the time that the daemon was away. Away is what lies between
 * when its loop wanted to run and when it did: it was stopped, starved, or stuck. Since deadlines are times of
 * this clock, they all move by the time that the daemon lost, and none has to be touched.
 *
 * The loop must wake at least every SERVICE_CLOCK_BEAT while anybody's deadline runs: that bounds what
 * an absence can go unnoticed.
 */
#pragma once

#include <stdint.h>

#define SERVICE_CLOCK_BEAT  UINT64_C(250000000) /* ns */
#define SERVICE_CLOCK_SLACK UINT64_C(20000000)  /* ns; ordinary scheduling, not counted as away */

struct service_clock {
    uint64_t away;     /* in all */
    uint64_t expected; /* when the loop should run again at the latest; 0: no expectation */
    uint64_t held_at;  /* service time that stands still, so that all expiry of a turn is at one instant; 0: it runs */
    uint64_t started_at; /* monotonic: when the daemon began */
};

/* The loop goes to sleep at `monotonic` for at most `timeout_ms` (negative: forever). Counts the time by which the work
 * before took too long. */
void service_clock_sleep(struct service_clock *clock, uint64_t monotonic, int timeout_ms);

/* The loop is awake. Returns how much was just added to `away`. */
uint64_t service_clock_wake(struct service_clock *clock, uint64_t monotonic);

static inline uint64_t service_clock_time(const struct service_clock *clock, uint64_t monotonic)
{
    return monotonic - clock->away;
}
