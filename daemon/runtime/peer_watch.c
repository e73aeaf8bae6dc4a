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

/* ---- silent connections ---- */

enum {
    LOOKS_PER_INTERVAL = 256, /* at processes: bounds what idle sessions cost */
    ENDS_PER_INTERVAL = 8,    /* each costs a walk from the first connection */
};

/* Who speaks is alive. */
static bool is_to_be_looked_at(const struct peer *peer, uint32_t round)
{
    return peer->session && peer->round != round && peer->connection && connection_is_silent(peer->connection);
}

/* Looks at peers that were not looked at in this round. Returns the first whose process has ended; NULL: none has. */
static struct peer *look_at_some(struct clients *clients, int *looks)
{
    struct peer *peer;
    LIST_FOREACH(peer, &clients->peers, in_server) {
        if (*looks < LOOKS_PER_INTERVAL && is_to_be_looked_at(peer, clients->round)) {
            peer->round = clients->round;
            ++*looks;
            cleanup(fd_closep) int pidfd = pidfd_of(peer);
            if (has_ended(pidfd)) {
                return peer;
            }
        }
    }
    return NULL;
}

/* The core is fed between two walks, since it may end connections. */
void peer_watch_look_at_silent(struct clients *clients)
{
    int looks = 0, ends = 0;
    struct peer *ended = NULL;
    while (ends < ENDS_PER_INTERVAL && (ended = look_at_some(clients, &looks))) {
        tell_of_end(ended);
        ends++;
    }
    clients->round += !ended && looks < LOOKS_PER_INTERVAL; /* else the round goes on in the next interval */
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
