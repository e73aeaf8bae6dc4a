/* SPDX-License-Identifier: Apache-2.0 */
/* The end of connections and peers. */
#include "daemon/runtime/reaper.h"

#include <assert.h>
#include <errno.h>

#include "daemon/runtime/connection.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/peer.h"
#include "proto/transport.h"

enum { DISCARDED_PACKETS_MAX = 32 };

/* A socket that is closed with unread packets resets the peer, which might then miss our last word. */
static void discard_input(int socket)
{
    for (int i = 0; i < DISCARDED_PACKETS_MAX; i++) {
        uint8_t byte;
        ssize_t received = transport_receive(socket, &byte, sizeof byte, NULL, false);
        if (received == 0 || (received < 0 && received != -EMSGSIZE && received != -EBADF)) {
            return;
        }
    }
}

static void on_closed(uv_handle_t *handle)
{
    connection_release(handle->data);
}

static void tear_down(struct connection *connection)
{
    LIST_REMOVE(connection, in_ended);
    LIST_REMOVE(connection, in_server);
    discard_input(connection->fd);
    outbox_close(connection);
    peer_lost_connection(connection->peer, connection);
    uv_close((uv_handle_t *)&connection->poll, on_closed);
}

static void free_retired(struct server *server)
{
    struct peer *peer = LIST_FIRST(&server->retired), *next;
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
    assert(!server->feeding);
    while ((connection = LIST_FIRST(&server->ended))) {
        tear_down(connection);
    }
    free_retired(server);
}
