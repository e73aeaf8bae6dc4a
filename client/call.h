/* SPDX-License-Identifier: Apache-2.0 */
/* Sending a request and waiting for its answer. */
#pragma once

#include "client/calls.h"

/*
 * Sends a request, which may be changed, and waits for the answer to it; NULL: only waits. Returns 0, or negative errno
 * with the sentence set. -EDEADLK: the caller is an event callback, which must not wait. Takes the lock.
 */
int call_broker(mb_client *client, struct request *request, struct call *call);

/* Waits a moment for the connection. The client's lock is held, and given up meanwhile. */
void call_pause(mb_client *client);
