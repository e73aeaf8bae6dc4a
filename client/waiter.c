/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping on a futex of one's own. A thread that is done may be gone before it is woken; then the kernel finds nobody
 * at the address, or a thread that looks again.
 */
#include "client/waiter.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/clock.h"

void waiter_prepare(struct waiter *waiter)
{
    atomic_store(&waiter->state, WAITER_ASLEEP);
}

bool waiter_sleep(struct waiter *waiter, uint64_t until)
{
    const struct timespec deadline = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};
    while (atomic_load(&waiter->state) == WAITER_ASLEEP && clock_milliseconds() < until) {
        (void)syscall(SYS_futex, &waiter->state, FUTEX_WAIT_BITSET_PRIVATE, WAITER_ASLEEP, &deadline, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    }
    return waiter_is_done(waiter);
}

bool waiter_is_done(const struct waiter *waiter)
{
    return atomic_load(&waiter->state) == WAITER_DONE;
}

static void wake(const struct waiter *waiter)
{
    (void)syscall(SYS_futex, &waiter->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool waiter_call(struct waiter *waiter)
{
    uint32_t asleep = WAITER_ASLEEP;
    bool slept = atomic_compare_exchange_strong(&waiter->state, &asleep, WAITER_CALLED);
    if (slept) {
        wake(waiter);
    }
    return slept;
}

bool waiter_is_asleep(const struct waiter *waiter)
{
    return atomic_load(&waiter->state) == WAITER_ASLEEP;
}

bool waiter_finish(struct waiter *waiter, struct wakes *wakes)
{
    uint32_t before = atomic_exchange(&waiter->state, WAITER_DONE);
    if (before == WAITER_ASLEEP) {
        if (wakes->count == WAKES_MAX) {
            wakes_send(wakes);
        }
        wakes->of[wakes->count++] = waiter;
    }
    return before == WAITER_CALLED;
}

void wakes_send(struct wakes *wakes)
{
    for (unsigned i = 0; i < wakes->count; i++) {
        wake(wakes->of[i]);
    }
    wakes->count = 0;
}
