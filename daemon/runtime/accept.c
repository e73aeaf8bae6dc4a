/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/accept.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/os/peer_identity.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/process_watch.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/transport.h"

static struct connection *connection_new(struct server *server, int socket, const struct identity *identity)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct peer *peer = connection ? peer_new(server, identity) : NULL;
    struct user_load *load = peer ? user_loads_add(&server->scheduler.loads, identity_charged(identity)) : NULL;
    if (!load || uv_poll_init(&server->loop, &connection->poll, socket) < 0) {
        if (load) {
            user_loads_remove(load);
        }
        free(connection);
        if (peer) {
            peer_retire(peer);
        }
        return NULL;
    }
    connection->server = server;
    connection->peer = peer;
    connection->load = load;
    connection->fd = socket;
    connection->may_bring = !transport_refuses_descriptors(socket);
    connection->references = 1;
    connection->poll.data = connection;
    connection->opened_at = clock_monotonic();
    outbox_init(&connection->outbox);
    LIST_INSERT_HEAD(&server->clients.connections, connection, in_server);
    server->clients.connection_count++;
    peer->connection = connection;
    peer->references = 1;
    return connection;
}

/* A connection beyond its user's limit is refused. Whether the user may connect at all is checked at the hello. */
static void admit(struct connection *connection)
{
    const struct config *config = connection->server->config;
    const struct identity *identity = &connection->peer->identity;
    if (connection->load->connections > config->clients.connections_max) {
        reply_fail(connection, ERROR_TOO_MANY,
                   "user %u has %u connection%s, as many as [clients] max_connections allows; close one first",
                   identity_charged(identity), config->clients.connections_max,
                   text_plural(config->clients.connections_max));
    }
}

void accept_socket(struct server *server, int socket)
{
    struct identity identity;
    uint64_t began = clock_monotonic();
    int result = peer_identity(socket, &identity);
    struct connection *connection = result < 0 ? NULL : connection_new(server, socket, &identity);
    if (!connection) {
        static const struct log_about anybody = {.event = LOG_EVENT_NONE};
        if (log_allows(&anybody)) {
            log_error("a client could not be served: %s", result < 0 ? strerror(-result) : "out of memory");
        }
        (void)fd_close(socket);
        return;
    }
    connection_listen(connection);
    admit(connection);
    scheduler_charge(connection->load, clock_monotonic() - began);
}

void accept_to_refuse(struct server *server, int socket)
{
    struct identity identity;
    struct connection *connection =
        peer_identity(socket, &identity) < 0 ? NULL : connection_new(server, socket, &identity);
    if (connection) {
        reply_fail(connection, ERROR_TOO_MANY,
                   "the broker has no descriptor left for another client; try again later, or raise its "
                   "LimitNOFILE");
    } else {
        (void)fd_close(socket);
    }
}

void accept_resumed(struct connection *connection, struct peer *peer)
{
    struct peer *before = connection->peer;
    if (peer->connection && connection_is_open(peer->connection)) {
        reply_replaced(peer->connection);
    }
    before->connection = NULL;
    before->references--;
    peer_retire(before);
    peer->references++;
    peer->connection = connection;
    connection->peer = peer;
    peer->watch = process_watch_end(peer->watch);
}
