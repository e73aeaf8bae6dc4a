/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that may wait long: signals end them, other threads run meanwhile, and a callback shows the progress. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/errors.h"
#include "client/python/src/owner.h"

/* Runs in a thread of its own, without the interpreter's lock. Returns 0 or negative errno, and keeps the sentence. */
typedef int waiting_work(void *argument);

enum waiting_end {
    WAITING_DONE,
    WAITING_RAISED, /* an exception is set */
    WAITING_CLOSED, /* another thread closed the client; no exception is set */
};

/* What is waited for. */
struct waiting_call {
    struct owner *owner;
    waiting_work *work;
    void *argument;
    uint64_t bytes;     /* that it asks for */
    PyObject *progress; /* progress(session, bytes) makes a watch; NULL: nothing is shown */
};

/*
 * Runs the work and waits for it. A watch is called with the seconds so far, about 20 times a second, and its end() at
 * the end. An exception of it, or of a signal's handler, cancels this wait and no other, and so does closing the
 * client meanwhile. Returns what the work returned; it may have succeeded even if the wait did not end by itself. With
 * the interpreter's lock.
 */
int waiting_run(const struct waiting_call *call, enum waiting_end *ret_end);

/* For a call that may wait until a deadline: milliseconds of the monotonic clock, and what is left of them (at least
 * 1). */
uint64_t waiting_now_ms(void);
uint32_t waiting_left_ms(uint64_t deadline_ms);

/*
 * Whether a call succeeded that returned `result` and ended in this way. False: an exception is set; if `result` is 0
 * nevertheless, the caller drops what it got. `failure` is the call's.
 */
bool waiting_succeeded(enum waiting_end end, int result, const struct failure *failure);
