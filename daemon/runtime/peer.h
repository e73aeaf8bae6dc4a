/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer: one process as the shell sees it. Before its hello, and as a monitor, it is nothing but its
 * connection; with a session it also has a control page, and outlives broken connections: then its process is watched.
 */
#pragma once

#include "daemon/core/identity.h"
#include "daemon/runtime/control.h"
#include "daemon/runtime/fdstore.h"
#include "daemon/runtime/history.h"
#include "daemon/runtime/log.h"

struct process_watch;

struct peer {
    struct server *server;
    struct connection *connection; /* by which it is reached; NULL: broken. For peer.c and connection.c alone */
    uint32_t references;           /* of connections that are or were its own */
    bool is_retired;
    struct identity identity;
    uint64_t session; /* 0: none */
    bool greeted;
    bool is_monitor;
    uint32_t protocol; /* that its hello agreed on */
    struct control control;
    uint32_t record;      /* in the kept table, while the session is not over */
    uint32_t name_record; /* by which its control page is kept */
    struct kept_views views;
    struct process_watch *watch; /* while it has no connection; NULL: none */
    uint32_t round;              /* of looks at silent connections, in which it was looked at last */
    bool is_over;                /* its session is */
    struct history_marks marks;
    LIST_ENTRY(peer) in_server, in_retired;
};

/* A peer for a new connection. NULL when memory is short. */
struct peer *peer_new(struct server *server, const struct identity *identity);

/* Sees to it that the session's control pages have so many slots, where its client's protocol knows of more than one
 * page. As before; 0 also where there can't be more. */
int peer_make_room(struct peer *peer, uint32_t slots);

/* What the core is to know of them. */
struct control_room peer_room(const struct peer *peer);

/* Nobody needs it any more but who has it in hand: the reaper frees it. */
void peer_retire(struct peer *peer);

/* For the reaper alone: frees a retired peer. */
void peer_free(struct peer *peer);

/* Welcomes it: its session was opened or resumed by this hello; or (`session` 0) it is a monitor. */
void peer_welcome(struct peer *peer, uint64_t request_id, bool resumed);

/* Closes its connection, if it has one. */
void peer_hang_up(struct peer *peer);

/* Sends it something, if it has a connection. `fd` travels with it unless negative. */
void peer_send(struct peer *peer, struct reply *reply, int fd);
void peer_send_two(struct peer *peer, struct reply *reply, int fd, int second);
