/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: a non-blocking SOCK_SEQPACKET socket on the loop. It is served when its user's turn comes (turns.h);
 * what can't be sent at once is queued, up to a bound past which the client, which does not read, is cut off
 * (outbox.h).
 *
 * A connection that was closed has ended: it reads nothing, and what is sent to it is dropped. It stays valid, with its
 * peer, until the handler that uses it has returned (reaper.h).
 */
#pragma once

#include "daemon/runtime/server.h"

/* Takes the socket and serves it. On failure it is closed, after a log line. */
void connection_accept(struct server *server, int socket);

/* Takes the socket, says that there is no room for another client, and closes it. */
void connection_turn_away(struct server *server, int socket);

/* Starts what is looked after each second: who has not said hello in time, and who may be read again. */
void connections_tend(struct server *server);

int connection_socket(const struct connection *connection);
struct peer *connection_peer(const struct connection *connection);
struct server *connection_server(const struct connection *connection);

/* False: it was closed. */
bool connection_is_open(const struct connection *connection);

/* References: for what needs a connection beyond the present turn of the loop. */
struct connection *connection_hold(struct connection *connection);
void connection_release(struct connection *connection);

/*
 * Gives the connection to another peer, whose session is resumed on it. The connection that the session had until now,
 * if any, is told so and closed. The peer that this connection had, which has no session, is retired.
 */
void connection_resume(struct connection *connection, struct peer *peer);

/* Encodes and sends; `fd` travels with it unless negative. A connection that can't take it is closed; one that
 * has ended drops it. */
void connection_send(struct connection *connection, struct reply *reply, int fd);

/* Sends an error that answers no request, then closes. */
__attribute__((format(printf, 3, 4))) void connection_fail(struct connection *connection, enum error_code code,
                                                           const char *format, ...);

/* Reads what is there, up to a budget, and serves it. */
void connection_read(struct connection *connection);

/* Closes it, from anywhere. Idempotent. The core hears of it from the reaper. */
void connection_close(struct connection *connection);
void connections_close_all(struct server *server);
