/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The background thread: it renews, reconnects, tells the program what happens, and trims. A client without leases has
 * none of that to do, so the thread starts when it is first needed.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

struct background {
    pthread_t thread;
    _Atomic bool is_running; /* false: calls do its work meanwhile, or the program dispatches */
    uint64_t calls;          /* how many had begun when the thread last looked */
    bool is_aside;           /* it sleeps until no call waits for an answer */
};

/* Starts the thread, unless it runs or the program wants none. Takes the lock. Returns 0, or negative errno with the
 * sentence set. */
int background_need(mb_client *client);
void background_stop(mb_client *client);

/* No call waits for an answer any more, so the thread reads the socket again. The client's lock is held. */
void background_go_on(mb_client *client);
