/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each call can fail, and a sweep over all of it: the first call of a kind fails while something goes on, then the
 * second, until there is no such call any more. MEMBROKER_FAULT_DEPTH bounds how many of one kind are tried;
 * MEMBROKER_FAULT_ONLY names a call to try alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/faults/fault_control.h"

enum { FAULT_ERRORS_MAX = 5 };

struct fault {
    enum fault_call call;
    const char *name;
    int errors[FAULT_ERRORS_MAX]; /* errno, or FAULT_SHORT; 0: no more */
};

extern struct fault_control *fault_control;
extern char fault_at[128]; /* the case being tested, for people */

/*
 * Makes the page, and says in the environment that daemons under a manager get it (FAULT_CONTROL) and the library that
 * reads it (MANAGER_PRELOAD).
 */
void sweep_begin(void);

/* Removes the page, says how many faults struck, and fails the test if none did. */
void sweep_end(void);

/* Calls `strike` with a fault armed, again and again; it calls fault_disarm() when no more faults shall strike. */
void sweep(void (*strike)(const struct fault *fault));
void fault_disarm(void);

/*
 * Whether the fault that struck last may end the daemon: libuv ends the process where the kernel refuses it its own
 * descriptors, and the service manager starts the next daemon, which has the leases of the one before. Memory is never
 * a reason.
 */
bool fault_may_end_the_daemon(const struct fault *fault);
