/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor connection: requests that look and administer, one at a time, each waiting for its
 * answer. It has no session and can hold no lease.
 */
#pragma once

#include "proto/message.h"

struct monitor;

/*
 * Connects to `socket` (NULL: the default look-up of mb_connect()) and greets. Returns 0, or negative errno with
 * mb_last_error() set: -ENOTCONN if there is no broker, -EACCES if this user may not use its socket, -ETIMEDOUT if it
 * accepts the connection and does not answer. The caller closes it.
 */
int monitor_open(const char *socket, uint32_t timeout_ms, struct monitor **ret);

/*
 * Sends `request` (its id is filled in) and waits for the answer, which *ret borrows: valid until the next call.
 * Returns 0; -ENOTCONN if the broker went away; -ETIMEDOUT if it does not answer; or another negative errno if it
 * refused, with its sentence in mb_last_error().
 */
int monitor_call(struct monitor *monitor, struct request *request, uint32_t timeout_ms, const struct reply **ret);

/* Where it is connected to. */
const char *monitor_socket(const struct monitor *monitor);

/* Takes NULL; returns NULL. */
struct monitor *monitor_close(struct monitor *monitor);
