/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: a non-blocking SOCK_SEQPACKET socket on the loop. It is served when its user's turn comes
 * (scheduler.h). What can't be sent immediately is queued. A client that does not read is cut off when its queue
 * exceeds a bound (outbox.h).
 *
 * A connection that was closed has ended: it reads nothing, and what is sent to it is dropped. It stays valid, with its
 * peer, until the handler that uses it has returned (reaper.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

struct connection;
struct peer;
struct server;

int connection_socket(const struct connection *connection);
struct peer *connection_peer(const struct connection *connection);
struct server *connection_server(const struct connection *connection);

/* False: it was closed. */
bool connection_is_open(const struct connection *connection);

/* True: it is open, and nothing came since messages were counted last. */
bool connection_is_silent(const struct connection *connection);

/* References: for what needs a connection beyond the present turn of the loop. */
struct connection *connection_hold(struct connection *connection);
void connection_release(struct connection *connection);

/* Closes it, from anywhere. Idempotent. The core hears of it from the reaper. */
void connection_close(struct connection *connection);
void connections_close_all(struct server *server);
