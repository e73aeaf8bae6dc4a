/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor connection: requests that look and administer, one at a time, each waiting for its
 * answer. It has no session and can hold no lease.
 */
#pragma once

#include "proto/message.h"

struct monitor;

/*
 * Connects to `socket` (NULL: the default lookup of mb_connect()). Returns 0 or negative errno with
 * mb_last_error() set: -ENOTCONN where there is no daemon. The caller closes it.
 */
int monitor_open(const char *socket, struct monitor **ret);

/*
 * Sends `request` (its id is filled in) and waits for the answer, which *ret borrows: valid until the next call.
 * Returns 0; or -ENOTCONN when the daemon went away; or another negative errno when the broker refused, with its
 * sentence in mb_last_error().
 */
int monitor_call(struct monitor *monitor, struct request *request, const struct reply **ret);

/* Where it is connected to. */
const char *monitor_socket(const struct monitor *monitor);

/* Takes NULL; returns NULL. */
struct monitor *monitor_close(struct monitor *monitor);
