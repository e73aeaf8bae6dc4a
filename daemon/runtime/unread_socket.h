/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of connections that have ended, with descriptors in flight: they stay until these are received. */
#pragma once

#include <stdbool.h>

struct connection;
struct server;

/* Shuts the socket down and keeps it. False: out of memory. */
bool unread_socket_keep(struct connection *connection);

/* Closes some of those whose clients have received everything, or are gone. */
void unread_sockets_look(struct server *server);

/* At the end: closes them all. */
void unread_sockets_close(struct server *server);
