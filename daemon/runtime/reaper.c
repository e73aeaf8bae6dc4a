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
#include "daemon/runtime/workers.h"
#include "proto/base/cleanup.h"
#include "proto/base/container.h"
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

/* A socket that a worker closes. It counts as its user's until it is. */
struct closing {
    struct work work;
    struct caller *caller;
};

static void socket_closed(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct closing *closing = container_of(work, struct closing, work);
    (void)server;
    (void)result;
    (void)fd;
    (void)fd_close(work->fd);
    callers_remove(closing->caller);
    free(closing);
}

void reaper_close_socket(struct server *server, struct caller *caller, int fd, bool may_bring)
{
    struct closing *closing = may_bring && !server->is_closing ? calloc(1, sizeof *closing) : NULL;
    if (!closing) {
        (void)fd_close(fd);
        callers_remove(caller);
        return;
    }
    (void)shutdown(fd, SHUT_RDWR);
    closing->caller = caller;
    closing->work.job.kind = JOB_CLOSE;
    closing->work.fd = fd;
    closing->work.user = caller->uid;
    closing->work.done = socket_closed;
    workers_do(server, &closing->work);
}

static void on_closed(uv_handle_t *handle)
{
    connection_release(handle->data);
}

static void tear_down(struct connection *connection)
{
    LIST_REMOVE(connection, in_ended);
    LIST_REMOVE(connection, in_server);
    discard_input(connection->fd, connection->may_bring);
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
