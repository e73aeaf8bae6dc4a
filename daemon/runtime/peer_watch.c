/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/peer_watch.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/os/peer_identity.h"
#include "daemon/os/process.h"
#include "daemon/runtime/connection.h"
#include "daemon/runtime/process_watch.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

static void tell_of_end(void *argument)
{
    struct peer *peer = argument;
    log_debug("session %llu: process %d ended", (unsigned long long)peer->session, peer->identity.pid);
    struct input died = {.kind = INPUT_DIED, .session = peer->session, .peer = peer};
    executor_feed(peer->server, &died);
}

static int pidfd_of(const struct peer *peer)
{
    return peer_identity_pidfd(connection_socket(peer->connection), &peer->identity);
}

static bool has_ended(int pidfd)
{
    return pidfd == -ESRCH || (pidfd >= 0 && process_has_ended(pidfd));
}

static void begin(struct peer *peer, int pidfd)
{
    peer->watch = process_watch_end(peer->watch);
    peer->watch = process_watch_new(&peer->server->loop, pidfd, tell_of_end, peer);
}

bool peer_watch_start(struct peer *peer)
{
    cleanup(fd_closep) int pidfd = pidfd_of(peer);
    if (has_ended(pidfd)) {
        return true;
    }
    if (pidfd >= 0 && pidfd < peer->server->descriptors.ceiling) { /* the last ones are not for clients */
        begin(peer, fd_steal(&pidfd));
    }
    return false;
}

void peer_watch_look(struct peer *peer)
{
    cleanup(fd_closep) int pidfd = pidfd_of(peer);
    if (has_ended(pidfd)) {
        tell_of_end(peer);
    }
}

int peer_watch_again(struct peer *peer, uint64_t started_at)
{
    if (peer->identity.pid <= 0 || !started_at) {
        return 0; /* known by its connection alone */
    }
    int pidfd = process_open(peer->identity.pid, started_at);
    if (pidfd >= 0) {
        begin(peer, pidfd);
    }
    return pidfd < 0 ? pidfd : peer->watch ? 0 : -ENOMEM;
}
