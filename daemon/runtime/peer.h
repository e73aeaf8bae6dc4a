/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer: one process as the shell sees it. Before its hello, and as a monitor, it is nothing but its
 * connection; with a session it also has a control page and a watch on its process, and outlives broken connections.
 */
#pragma once

#include "daemon/runtime/control.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"

struct peer {
    struct server *server;
    struct connection *connection; /* NULL: broken */
    struct identity identity;
    uint64_t session; /* 0: none */
    bool greeted;
    bool is_monitor;
    struct control control;
    uint32_t record;      /* in the kept table, while the session is not over */
    uint32_t name_record; /* by which its control page is kept */
    int pidfd;
    bool watching;
    uv_poll_t watch;
    LIST_ENTRY(peer) in_server;
};

/* A peer for a new connection. NULL when memory is short. */
struct peer *peer_new(struct server *server, const struct identity *identity);

/* Makes the control page and watches the process, for a session to come. Returns 0 or negative errno. */
int peer_prepare_session(struct peer *peer);

/* Watches the process of a restored session. -ESRCH: it has ended. */
int peer_watch_again(struct peer *peer, uint64_t started_at);

/* Frees a peer without a session and without a connection. Takes NULL. */
void peer_free(struct peer *peer);

/* What a line of log is about: this peer, and maybe a lease. */
struct log_about peer_about(const struct peer *peer, enum log_event event, uint64_t lease);

/* Sends it something, if it has a connection. `fd` travels with it unless negative. */
void peer_send(struct peer *peer, struct reply *reply, int fd);
