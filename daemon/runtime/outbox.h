/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent to a client: at once, or queued until it reads, in bounds of bytes and frames, of the connection and of
 * its user.
 *
 * A descriptor that was sent and is not received is in flight: the kernel counts those of the daemon's user in all
 * sockets together, and refuses more (ETOOMANYREFS) than it may have open. So few of a connection, and of a user, are
 * in flight at once; the rest is held back here until those are received. That holds for a connection that has ended as
 * well: its socket stays, shut down, until the client has read it empty or closed it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
struct server;

struct queued_frame;
TAILQ_HEAD(frame_queue, queued_frame);

struct outbox {
    struct frame_queue queue;
    size_t queued_frames, queued_bytes;
    uint32_t unread_descriptors; /* sent, and not known to be received */
    bool is_held;                /* until descriptors that are in flight are received */
};

void outbox_init(struct outbox *outbox);

/* Whether there is something to send as soon as the socket takes it. */
bool outbox_wants_to_send(const struct outbox *outbox);

/* Whether it has more than half of what it may have. */
bool outbox_is_full(const struct outbox *outbox);

/* Sends or queues a frame, and a descriptor unless negative, which stays the caller's. Negative errno: it can't be. */
int outbox_send(struct connection *connection, const uint8_t *frame, size_t bytes, int fd);

/* Sends a few frames of what is queued. Negative errno: the connection is of no use any more. */
int outbox_flush(struct connection *connection);

/* Drops what is queued, and closes the socket, now or once nothing is in flight. */
void outbox_close(struct connection *connection);

/* At the end: closes them all. */
void outbox_close_all(struct server *server);

/* Sets up what all outboxes share. */
void outbox_open_all(struct server *server);
