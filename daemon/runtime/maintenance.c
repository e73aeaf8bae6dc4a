/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/maintenance.h"

#include "daemon/runtime/clock.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/peer_watch.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

enum { INTERVAL_MS = 1000 };

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
    peer_watch_look_at_silent(&server->clients);
    survivors_look(server);
    kept_reservations_retry(server);
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
