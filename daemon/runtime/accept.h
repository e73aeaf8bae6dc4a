/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of connections. */
#pragma once

#include "daemon/runtime/connection.h"

/* Takes the socket and serves it. On failure it is closed, after a log line. */
void accept_socket(struct server *server, int socket);

/* Takes the socket, says that there is no room for another client, and closes it. */
void accept_to_refuse(struct server *server, int socket);

/*
 * Gives the connection to another peer, whose session is resumed on it. The connection that the session had until now,
 * if any, is told so and closed. The peer that this connection had, which has no session, is retired.
 */
void accept_resumed(struct connection *connection, struct peer *peer);
