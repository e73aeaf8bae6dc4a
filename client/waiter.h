/* SPDX-License-Identifier: Apache-2.0 */
/* The sleep of one thread, which another thread ends without waking anybody else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum waiter_state {
    WAITER_AWAKE,
    WAITER_ASLEEP, /* or about to be */
    WAITER_CALLED, /* it shall look what there is to do */
    WAITER_DONE,   /* what it waits for has come; it stays so */
};

/* Zeroed, it is awake. A mutex of the caller is held, except in waiter_sleep() and waiter_is_done(). */
struct waiter {
    _Atomic uint32_t state;
};

/* The owner is about to sleep, without the mutex. */
void waiter_prepare(struct waiter *waiter);

/* The owner sleeps until it is called or done, or `until` (ms). Returns whether it is done. */
bool waiter_sleep(struct waiter *waiter, uint64_t until);

bool waiter_is_done(const struct waiter *waiter);

/* If the owner sleeps, it looks what there is to do. Returns whether it slept. */
bool waiter_call(struct waiter *waiter);

/* Whether the owner sleeps, or is about to. */
bool waiter_is_asleep(const struct waiter *waiter);

/* Threads that shall wake up, when the mutex is given up: else they would wake to wait for it. */
enum { WAKES_MAX = 32 };
struct wakes {
    unsigned count;
    const struct waiter *of[WAKES_MAX];
};

/*
 * The owner need not wait any longer. From here on it may end, and the waiter's memory with it. It wakes up by
 * wakes_send(), and at the latest when as many others are to wake up too. Returns whether the owner was called and has
 * not looked yet: now it won't.
 */
bool waiter_finish(struct waiter *waiter, struct wakes *wakes);

/* Needs no mutex. */
void wakes_send(struct wakes *wakes);
