/* SPDX-License-Identifier: Apache-2.0 */
/* The end of connections and peers. */
#include "daemon/runtime/reaper.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/runtime/connection.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/peer_watch.h"
#include "daemon/runtime/server.h"
#include "proto/transport.h"

enum { DISCARDED_PACKETS_MAX = 32 };

/* A socket that is closed with unread packets resets the peer, which might then miss our last word. */
static void discard_input(int socket, bool may_bring)
{
    for (int i = 0; i < DISCARDED_PACKETS_MAX; i++) {
        uint8_t byte;
        ssize_t received = transport_receive_bare(socket, &byte, sizeof byte, may_bring);
        bool is_gone = received == -EMSGSIZE || (received == -EBADF && !may_bring);
        if (received == 0 || (received < 0 && !is_gone)) {
            return;
        }
    }
}

static void on_closed(uv_handle_t *handle)
{
    connection_release(handle->data);
}

/* While the socket is open it can be asked whose it is. */
static bool process_has_gone(struct peer *peer, const struct connection *connection)
{
    bool is_waited_for = peer->connection == connection && peer->session && !peer->is_over;
    return is_waited_for && !peer->server->is_closing && peer_watch_start(peer);
}

/* The core is told, if this was the present connection of the peer. */
static void lose_connection(struct peer *peer, const struct connection *connection, bool has_died)
{
    if (peer->connection != connection) {
        return;
    }
    peer->connection = NULL;
    if (peer->session) {
        struct input gone = {
            .kind = has_died ? INPUT_DIED : INPUT_DISCONNECTED, .session = peer->session, .peer = peer};
        executor_feed(peer->server, &gone);
    } else {
        peer_retire(peer);
    }
}

static void tear_down(struct connection *connection)
{
    LIST_REMOVE(connection, in_ended);
    LIST_REMOVE(connection, in_server);
    connection->server->clients.connection_count--;
    discard_input(connection->fd, connection->may_bring);
    bool has_died = process_has_gone(connection->peer, connection);
    outbox_close(connection);
    lose_connection(connection->peer, connection, has_died);
    uv_close((uv_handle_t *)&connection->poll, on_closed);
}

static void free_retired(struct server *server)
{
    struct peer *peer = LIST_FIRST(&server->clients.retired), *next;
    for (; peer; peer = next) {
        next = LIST_NEXT(peer, in_retired);
        if (peer->references == 0) {
            peer_free(peer);
        }
    }
}

void reaper_run(struct server *server)
{
    struct connection *connection;
    assert(!server->executor.is_feeding);
    while ((connection = LIST_FIRST(&server->clients.ended))) {
        tear_down(connection);
    }
    free_retired(server);
}
