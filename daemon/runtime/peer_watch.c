/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/peer_watch.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/os/peer_identity.h"
#include "daemon/os/process.h"
#include "daemon/runtime/connection.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

static void on_process_end(uv_poll_t *watch, int status, int events)
{
    struct peer *peer = watch->data;
    (void)status;
    (void)events;
    (void)uv_poll_stop(watch);
    log_debug("session %llu: process %d ended", (unsigned long long)peer->session, peer->identity.pid);
    struct input died = {.kind = INPUT_DIED, .session = peer->session, .peer = peer};
    executor_feed(peer->server, &died);
}

static int start_watch(struct peer *peer)
{
    if (peer->pidfd < 0) {
        return peer->pidfd;
    }
    int result = uv_poll_init(&peer->server->loop, &peer->watch, peer->pidfd);
    if (result < 0) {
        peer->pidfd = fd_close(peer->pidfd);
        return result;
    }
    peer->watch.data = peer;
    peer->watching = true;
    return uv_poll_start(&peer->watch, UV_READABLE, on_process_end);
}

/* The last descriptors are not for clients. */
static int descriptor_below(int fd, const struct server *server)
{
    if (fd < server->descriptors.ceiling) {
        return fd;
    }
    (void)close(fd);
    return -EMFILE;
}

/* Watches the process. One that can't be watched is known by its connection alone. */
int peer_watch_start(struct peer *peer)
{
    peer->pidfd =
        descriptor_below(peer_identity_pidfd(connection_socket(peer->connection), &peer->identity), peer->server);
    return peer->pidfd == -ENOSYS ? 0 : start_watch(peer);
}

int peer_watch_again(struct peer *peer, uint64_t started_at)
{
    if (peer->identity.pid <= 0 || !started_at) {
        return 0; /* known by its connection alone */
    }
    peer->pidfd = process_open(peer->identity.pid, started_at);
    return start_watch(peer);
}
