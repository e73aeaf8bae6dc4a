/* SPDX-License-Identifier: Apache-2.0 */
/* Which waits the program cancelled, and telling the broker. The client's lock is held. */
#pragma once

#include <stdbool.h>

#include "membroker.h"

/* Sends what is owed, as far as the socket takes it. */
void cancel_send(mb_client *client);

bool cancel_is_owed(const mb_client *client);

/* ---- one wait: without the lock ---- */

struct mb_wait {
    mb_client *client;
    struct call *call;
    const mb_wait_watch *watch;
    void *begun;
};

/* The calling thread is about to wait for the call, if `waits`. The watch may cancel the call from here on. */
void cancel_begin(struct mb_wait *wait, bool waits);
void cancel_end(const struct mb_wait *wait);
