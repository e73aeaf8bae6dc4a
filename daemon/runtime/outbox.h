/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends messages to a client, or queues them until it reads. The bytes and frames in the queue are bounded, for the
 * connection and for its user.
 *
 * A descriptor that was sent and not yet received is in flight. The number in flight is bounded for a connection, for a
 * user (in_flight.h) and for all; the rest is held back here until some are received. This includes connections that
 * have ended: the socket stays, shut down, until the client has read everything or closed it.
 *
 * A message without a descriptor overtakes those that are held back, so that a client that waits for a grant still gets
 * its other answers. There are two exceptions. No message overtakes a Welcome. And a list of leases overtakes no grant:
 * the client would take a lease that it does not know yet for a lost grant.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "daemon/runtime/in_flight.h"

struct connection;
struct server;

struct queued_frame;
struct unread_socket;
TAILQ_HEAD(frame_queue, queued_frame);

enum { OUTBOX_FRAMES_MAX = 256 };

enum frame_order {
    FRAME_ANY,          /* may overtake grants that are held back */
    FRAME_AFTER_GRANTS, /* may not */
    FRAME_FIRST,        /* nothing may overtake it */
};

enum { OUTGOING_DESCRIPTORS = 2 };

struct outgoing {
    const uint8_t *frame;
    size_t bytes;
    int fd[OUTGOING_DESCRIPTORS]; /* those that are not negative travel with it, the first ones first; they stay the
                                     caller's */
    enum frame_order order;
};

struct outbox {
    struct frame_queue queue; /* until the socket takes more */
    struct frame_queue held;  /* until descriptors that are in flight are received */
    size_t queued_frames, queued_bytes;
    uint32_t unread_descriptors; /* sent, and not known to be received */
    uint64_t unread_since;       /* monotonic: since then it received none of them, as far as we know */
    int unread_bytes;            /* in the socket, when it was looked at last */
    bool is_held;                /* what is held back is not to be tried yet */
};

void outbox_init(struct outbox *outbox);

/* How many descriptors these are: the first one is negative only if there is none. */
static inline uint32_t outgoing_descriptors(const int fd[OUTGOING_DESCRIPTORS])
{
    return fd[0] < 0 ? 0 : fd[1] < 0 ? 1 : 2;
}

/* Whether there is something to send as soon as the socket takes it. */
static inline bool outbox_wants_to_send(const struct outbox *outbox)
{
    return !TAILQ_EMPTY(&outbox->queue) || (!TAILQ_EMPTY(&outbox->held) && !outbox->is_held);
}

/* Whether it has more than half of what it may have. */
static inline bool outbox_is_full(const struct outbox *outbox)
{
    return outbox->queued_frames >= OUTBOX_FRAMES_MAX / 2;
}

/* Sends or queues a frame. Negative errno: it can't be. */
int outbox_send(struct connection *connection, const struct outgoing *outgoing);

/* Sends a few frames of what is queued. Negative errno: the connection is of no use any more. */
int outbox_flush(struct connection *connection);

/* Drops what is queued, and closes the socket, now or once nothing is in flight. */
void outbox_close(struct connection *connection);

TAILQ_HEAD(connection_queue, connection);
TAILQ_HEAD(unread_socket_list, unread_socket);

/* What all outboxes share. */
struct outboxes {
    struct connection_queue unreceived;       /* with descriptors that may be in flight */
    struct connection_queue held;             /* whose descriptors are held back */
    struct unread_socket_list unread_sockets; /* of connections that have ended */
    struct in_flight in_flight;
    uv_timer_t timer; /* runs while something is held back or unread */
    uint64_t pause_ms;
    uint64_t cut_off; /* clients that did not read their answers or receive their descriptors */
};

void outboxes_open(struct server *server);
