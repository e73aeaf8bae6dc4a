/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: a non-blocking SOCK_SEQPACKET socket on the loop. It is served when its user's turn comes (turns.h);
 * what can't be sent at once is queued, up to a bound past which the client, which does not read, is cut off
 * (outbox.h).
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

/* Gives the connection to another peer: a session is resumed. The present peer, which has no session, is freed. */
void connection_move(struct connection *connection, struct peer *peer);

/* Encodes and sends; `fd` travels with it unless negative. A connection that can't take it is closed. */
void connection_send(struct connection *connection, struct reply *reply, int fd);

/* Sends an error that answers no request, then closes. */
__attribute__((format(printf, 3, 4))) void connection_fail(struct connection *connection, enum error_code code,
                                                           const char *format, ...);

/*
 * Reads what is there, up to a budget, and serves it. The connection may be closed afterwards, but its
 * memory stays valid until the loop's next turn.
 */
void connection_read(struct connection *connection);

/* Closes it: the core hears of it, or the peer is freed if it has no session. Idempotent. Not from within the core's
 * effects. */
void connection_close(struct connection *connection);

/* Tells the client that its session was resumed elsewhere, and closes it without a word to the core. */
void connection_replace(struct connection *connection);

/* Closes it as soon as the core is done with its present input. */
void connection_close_later(struct connection *connection);
void connection_close_doomed(struct server *server);

/* Closes it without a word to the core, whose session is over; the peer stays, without a connection. */
void connection_cut(struct connection *connection);
