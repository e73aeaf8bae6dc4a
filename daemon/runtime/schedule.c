/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule for the loop's sleep. A timer of 0 ms can't stand for work that is due: libuv runs timers before it polls,
 * so the timer would be gone, with nothing done, when the poll's timeout is computed.
 */
#include "daemon/runtime/schedule.h"

#include "daemon/os/fault.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* that it is active is all that it is for */
}

static void on_wakeup(uv_timer_t *timer)
{
    (void)timer; /* it ends the poll; what is due is checked after the poll */
}

void schedule_open(struct schedule *schedule, uv_loop_t *loop)
{
    TAILQ_INIT(&schedule->slices);
    (void)uv_idle_init(loop, &schedule->busy);
    (void)uv_timer_init(loop, &schedule->wakeup);
}

/* ---- slices ---- */

void schedule_slice(struct schedule *schedule, struct slice *slice)
{
    TAILQ_INSERT_TAIL(&schedule->slices, slice, in_schedule);
}

void schedule_run_slices(struct schedule *schedule)
{
    struct slice_queue now = TAILQ_HEAD_INITIALIZER(now);
    struct slice *slice;
    TAILQ_CONCAT(&now, &schedule->slices, in_schedule);
    while ((slice = TAILQ_FIRST(&now))) {
        TAILQ_REMOVE(&now, slice, in_schedule);
        slice->run(slice);
    }
}

/* ---- sleeping ---- */

static bool is_work_due(const struct server *server, uint64_t core_due, uint64_t now)
{
    return core_due <= now || segments_have_results(&server->segments) || scheduler_has_work(&server->scheduler) ||
           !TAILQ_EMPTY(&server->schedule.slices);
}

/* Rounded up: a poll that ends too early would only be repeated. */
static uint64_t milliseconds_until(uint64_t due, uint64_t now)
{
    uint64_t wait = size_min(size_subtract_floored(due, now), SERVICE_CLOCK_BEAT);
    return (wait + NANOSECONDS_PER_MILLISECOND - 1) / NANOSECONDS_PER_MILLISECOND;
}

/* Arms what the poll's timeout follows from. Returns the most that it may be. */
static uint64_t arm(struct server *server, uint64_t due, uint64_t now)
{
    struct schedule *schedule = &server->schedule;
    (void)uv_timer_stop(&schedule->wakeup);
    if (is_work_due(server, due, now)) {
        (void)uv_idle_start(&schedule->busy, on_idle);
        return 0;
    }
    (void)uv_idle_stop(&schedule->busy);
    uv_update_time(&server->loop);
    uint64_t longest = integrity_scan_due_in(&server->integrity_scan);
    if (due != UINT64_MAX) {
        uint64_t wait = milliseconds_until(due, now);
        (void)uv_timer_start(&schedule->wakeup, on_wakeup, wait, 0);
        longest = size_min(longest, wait);
    }
    return longest;
}

int schedule_sleep(struct server *server)
{
    uint64_t due = broker_next_wakeup(server->broker), now = clock_now(server);
    uint64_t longest = arm(server, due, now);
    fault_unless((uint64_t)uv_backend_timeout(&server->loop) <= longest);
    return (int)longest;
}
