/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/lingering.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/in_transit.h"
#include "daemon/runtime/socket_close.h"
#include "proto/transport.h"

enum { LOOKS_AT_ONCE = 64 }; /* at sockets, whether their clients have received everything */

/* The socket of a connection that is over, with descriptors in flight. */
struct lingering {
    TAILQ_ENTRY(lingering) in_server;
    struct caller *caller;
    int fd;
    bool may_bring;
    uint32_t unread_descriptors;
};

static void end(struct server *server, struct lingering *lingering)
{
    TAILQ_REMOVE(&server->lingering, lingering, in_server);
    in_transit_count(server, lingering->caller, 0, lingering->unread_descriptors);
    socket_close(server, lingering->caller, lingering->fd, lingering->may_bring);
    free(lingering);
}

/* Closes the sockets of ended connections whose clients have received everything, or are gone. */
void lingering_look(struct server *server)
{
    struct lingering *lingering;
    for (int i = 0; i < LOOKS_AT_ONCE && (lingering = TAILQ_FIRST(&server->lingering)); i++) {
        TAILQ_REMOVE(&server->lingering, lingering, in_server);
        TAILQ_INSERT_TAIL(&server->lingering, lingering, in_server);
        if (transport_unread(lingering->fd) == 0) {
            end(server, lingering);
        }
    }
}

bool lingering_begin(struct connection *connection)
{
    struct lingering *lingering = malloc(sizeof *lingering);
    if (!lingering) {
        return false;
    }
    *lingering = (struct lingering){.caller = connection->caller,
                                    .fd = connection->fd,
                                    .may_bring = connection->may_bring,
                                    .unread_descriptors = connection->outbox.unread_descriptors};
    (void)shutdown(connection->fd, SHUT_RDWR);
    TAILQ_INSERT_TAIL(&connection->server->lingering, lingering, in_server);
    return true;
}

void lingering_end_all(struct server *server)
{
    struct lingering *lingering;
    while ((lingering = TAILQ_FIRST(&server->lingering))) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
        end(server, lingering);
    }
}
