/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/maintenance.h"

#include "daemon/runtime/clock.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/peer_watch.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

enum { INTERVAL_MS = 1000, LOOKS_PER_INTERVAL = 256 /* at processes: bounds what idle sessions cost */ };

/* Its process may have ended, and a forked child may hold its socket. Who speaks is alive. */
static bool is_to_be_looked_at(const struct connection *connection, uint32_t round)
{
    return connection->messages == 0 && connection->round != round && connection->peer->session &&
           connection->peer->connection == connection && !connection->is_ended;
}

/* A round takes several intervals, if there are many. */
static void look_at_silent(struct clients *clients)
{
    struct connection *connection;
    int looks = 0;
    LIST_FOREACH(connection, &clients->connections, in_server) {
        if (looks < LOOKS_PER_INTERVAL && is_to_be_looked_at(connection, clients->round)) {
            connection->round = clients->round;
            peer_watch_look(connection->peer);
            looks++;
        }
    }
    clients->round += looks < LOOKS_PER_INTERVAL;
}

static void maintain(struct connection *connection)
{
    uint32_t handshake_ms = connection->server->config->clients.handshake_ms;
    uint64_t waited = clock_monotonic() - connection->opened_at;
    connection->messages = 0;
    if (connection->is_resting) {
        connection->is_resting = false;
        connection_listen(connection);
    }
    if (!connection->peer->greeted && waited / NANOSECONDS_PER_MILLISECOND >= handshake_ms) {
        reply_fail(connection, ERROR_NOT_GREETED, "no hello came within %u ms ([clients] handshake_time)",
                   handshake_ms);
    }
}

static void on_interval(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct connection *connection;
    log_summarise();
    user_loads_maintain(&server->scheduler.loads);
    look_at_silent(&server->clients);
    LIST_FOREACH(connection, &server->clients.connections, in_server) {
        maintain(connection);
    }
}

void maintenance_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->clients.maintenance);
    server->clients.maintenance.data = server;
    (void)uv_timer_start(&server->clients.maintenance, on_interval, INTERVAL_MS, INTERVAL_MS);
}
