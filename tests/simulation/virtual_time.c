/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that know of time. */
#include "tests/simulation/virtual_time.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

struct virtual_time virtual_time;
_Thread_local bool virtual_time_is_on;

EXPORTED int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (virtual_time_is_on && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)) {
        *ret = (struct timespec){.tv_sec = (time_t)(virtual_time.now / (1000 * MS)),
                                 .tv_nsec = (long)(virtual_time.now % (1000 * MS))};
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, clock, ret);
}

static int poll_really(int epoll, struct epoll_event *events, int most, int timeout)
{
    return (int)syscall(SYS_epoll_pwait, epoll, events, most, timeout, NULL, 0);
}

EXPORTED int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    if (!virtual_time_is_on) {
        return poll_really(epoll, events, most, timeout);
    }
    int count = poll_really(epoll, events, most, 0);
    if (count != 0 || timeout == 0) {
        return count;
    }
    uint64_t until = timeout < 0 ? UINT64_MAX : virtual_time.now + (uint64_t)timeout * MS;
    virtual_time.now = virtual_time.before_sleep(until);
    return virtual_time.now == until ? 0 : poll_really(epoll, events, most, -1);
}

EXPORTED int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    (void)mask;
    return epoll_wait(epoll, events, most, timeout);
}
