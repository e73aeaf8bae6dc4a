/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/unread_socket.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/in_transit.h"
#include "daemon/runtime/server.h"
#include "daemon/runtime/socket_close.h"
#include "proto/transport.h"

enum { LOOKS_AT_ONCE = 64 }; /* at sockets, whether their clients have received everything */

/* The socket of a connection that is over, with descriptors in flight. */
struct unread_socket {
    TAILQ_ENTRY(unread_socket) in_server;
    struct user_load *load;
    int fd;
    bool may_bring;
    uint32_t unread_descriptors;
};

static void end(struct server *server, struct unread_socket *unread)
{
    TAILQ_REMOVE(&server->outboxes.unread_sockets, unread, in_server);
    in_transit_count(&server->outboxes, unread->load, 0, unread->unread_descriptors);
    socket_close(server, unread->load, unread->fd, unread->may_bring);
    free(unread);
}

/* Closes the sockets of ended connections whose clients have received everything, or are gone. */
void unread_sockets_look(struct server *server)
{
    struct unread_socket *unread;
    for (int i = 0; i < LOOKS_AT_ONCE && (unread = TAILQ_FIRST(&server->outboxes.unread_sockets)); i++) {
        TAILQ_REMOVE(&server->outboxes.unread_sockets, unread, in_server);
        TAILQ_INSERT_TAIL(&server->outboxes.unread_sockets, unread, in_server);
        if (transport_unread(unread->fd) == 0) {
            end(server, unread);
        }
    }
}

bool unread_socket_keep(struct connection *connection)
{
    struct unread_socket *unread = malloc(sizeof *unread);
    if (!unread) {
        return false;
    }
    *unread = (struct unread_socket){.load = connection->load,
                                     .fd = connection->fd,
                                     .may_bring = connection->may_bring,
                                     .unread_descriptors = connection->outbox.unread_descriptors};
    (void)shutdown(connection->fd, SHUT_RDWR);
    TAILQ_INSERT_TAIL(&connection->server->outboxes.unread_sockets, unread, in_server);
    return true;
}

void unread_sockets_close(struct server *server)
{
    struct unread_socket *unread;
    while ((unread = TAILQ_FIRST(&server->outboxes.unread_sockets))) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
        end(server, unread);
    }
}
