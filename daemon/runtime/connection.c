/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection is, and what it waits for. Reading is in receive.c, sending in reply.c and outbox.c. */
#include "daemon/runtime/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"

int connection_socket(const struct connection *connection)
{
    return connection->fd;
}

struct peer *connection_peer(const struct connection *connection)
{
    return connection->peer;
}

struct server *connection_server(const struct connection *connection)
{
    return connection->server;
}

bool connection_is_open(const struct connection *connection)
{
    return !connection->is_ended;
}

bool connection_is_silent(const struct connection *connection)
{
    return !connection->is_ended && connection->messages == 0;
}

/* ---- the end ---- */

struct connection *connection_hold(struct connection *connection)
{
    connection->references++;
    return connection;
}

void connection_release(struct connection *connection)
{
    assert(connection->references > 0);
    if (--connection->references == 0) {
        connection->peer->references--;
        free(connection);
    }
}

void connection_close(struct connection *connection)
{
    if (connection->is_ended) {
        return;
    }
    connection->is_ended = true;
    scheduler_remove(connection);
    (void)uv_poll_stop(&connection->poll);
    LIST_INSERT_HEAD(&connection->server->clients.ended, connection, in_ended);
}

void connections_close_all(struct server *server)
{
    struct connection *connection;
    LIST_FOREACH(connection, &server->clients.connections, in_server) {
        connection_close(connection);
    }
}

/* ---- polling ---- */

static void on_ready(uv_poll_t *poll, int status, int events);

void connection_listen(struct connection *connection)
{
    if (connection->is_ended) {
        return;
    }
    int events =
        (connection->is_resting ? 0 : UV_READABLE) | (outbox_wants_to_send(&connection->outbox) ? UV_WRITABLE : 0);
    (void)uv_poll_start(&connection->poll, connection->is_paused ? 0 : events, on_ready);
}

/* A connection that is still ready when the loop polls waits for its turn, and is not polled until then. */
static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    (void)events;
    if (status < 0) {
        connection_close(connection);
    } else if (connection->is_ready) {
        connection->is_paused = true;
        connection_listen(connection);
    } else {
        scheduler_add(connection);
    }
}

/* ---- maintenance ---- */
