/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock and the sleep of a process whose event loop runs in virtual time. clock_gettime() and epoll_wait() are this
 * program's own, for libuv too: a poll never sleeps, and the clock goes on by what it would have slept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MS UINT64_C(1000000) /* ns */

struct virtual_time {
    uint64_t now; /* ns */
    /*
     * The loop would sleep until then (UINT64_MAX: forever). Returns how far the clock may advance: less than `until`
     * if a client acts before, which then has made a descriptor of the loop ready.
     */
    uint64_t (*before_sleep)(uint64_t until);
};

extern struct virtual_time virtual_time;

/* Of this thread: the test's framework has threads that live in real time. */
extern _Thread_local bool virtual_time_is_on;
