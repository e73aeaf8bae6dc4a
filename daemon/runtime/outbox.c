/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of frames, and descriptors in flight. */
#include "daemon/runtime/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/cut_off.h"
#include "daemon/runtime/descriptor_jobs.h"
#include "daemon/runtime/in_transit.h"
#include "daemon/runtime/server.h"
#include "daemon/runtime/socket_close.h"
#include "daemon/runtime/unread_socket.h"
#include "proto/base/cleanup.h"
#include "proto/transport.h"

enum {
    FRAMES_AT_ONCE = 4,
    LOOKS_AT_ONCE = 64,      /* at sockets, whether what was sent was received */
    HELD_PAUSE_MAX_MS = 128, /* the first is 1 ms, each later one twice as long until something is received */
};

struct queued_frame {
    TAILQ_ENTRY(queued_frame) in_queue;
    enum frame_order order;
    int fd[OUTGOING_DESCRIPTORS]; /* our own duplicates; -EBADF: none */
    struct segment_mark lender;   /* whose they are, if it can be published */
    size_t bytes;
    uint8_t frame[];
};

void outbox_init(struct outbox *outbox)
{
    TAILQ_INIT(&outbox->queue);
    TAILQ_INIT(&outbox->held);
}

static int send_now(struct connection *connection, const struct outgoing *outgoing)
{
    uint32_t descriptors = outgoing_descriptors(outgoing->fd);
    if (descriptors && !in_transit_allows(connection)) {
        return -ETOOMANYREFS;
    }
    int result =
        transport_send_several(connection->fd, outgoing->frame, outgoing->bytes, outgoing->fd, descriptors, false);
    for (uint32_t i = 0; result == 0 && i < descriptors; i++) {
        in_transit_note_sent(connection);
    }
    return result;
}

/* ---- trying again ---- */

static void look_again(struct server *server);

/*
 * Nothing tells when a client has received a message. So connections that are held back are tried again after a pause,
 * a few each time: a user may have thousands of connections on which nothing is ever received.
 */
static void on_held(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct connection *connection;
    server->outboxes.pause_ms =
        server->outboxes.pause_ms < HELD_PAUSE_MAX_MS ? server->outboxes.pause_ms * 2 : HELD_PAUSE_MAX_MS;
    if (!TAILQ_EMPTY(&server->outboxes.held)) {
        in_transit_recount_some(&server->outboxes, LOOKS_AT_ONCE);
    }
    if (server->outboxes.in_flight.is_short) {
        cut_off_worst(&server->outboxes);
    }
    for (int i = 0; i < LOOKS_AT_ONCE && (connection = TAILQ_FIRST(&server->outboxes.held)); i++) {
        TAILQ_REMOVE(&server->outboxes.held, connection, in_held);
        connection->outbox.is_held = false;
        scheduler_add(connection);
    }
    unread_sockets_look(server);
    if (!TAILQ_EMPTY(&server->outboxes.held) || !TAILQ_EMPTY(&server->outboxes.unread_sockets)) {
        look_again(server);
    }
}

static void look_again(struct server *server)
{
    if (!uv_is_active((const uv_handle_t *)&server->outboxes.timer)) {
        (void)uv_timer_start(&server->outboxes.timer, on_held, server->outboxes.pause_ms, 0);
    }
}

static void hold(struct connection *connection)
{
    struct server *server = connection->server;
    if (connection->outbox.is_held) {
        return;
    }
    look_again(server);
    connection->outbox.is_held = true;
    TAILQ_INSERT_TAIL(&server->outboxes.held, connection, in_held);
}

/* ---- the queues ---- */

static bool has_room(const struct connection *connection, const struct outgoing *outgoing)
{
    const struct server *server = connection->server;
    const struct client_bounds *bounds = &server->config->clients;
    const struct outbox *outbox = &connection->outbox;
    const struct user_load *load = connection->load;
    return outbox->queued_frames < OUTBOX_FRAMES_MAX &&
           outbox->queued_bytes + outgoing->bytes <= bounds->unread_bytes_max &&
           load->queued_bytes + outgoing->bytes <= bounds->user_unread_bytes_max &&
           (outgoing->fd[0] < 0 || load->queued_descriptors < server->outboxes.in_flight.user_most);
}

/* A descriptor of our own: the lease may end before it is sent. */
static int copy_descriptor(const struct server *server, int fd)
{
    cleanup(fd_closep) int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy < server->descriptors.ceiling ? fd_steal(&copy) : -EMFILE;
}

/* All of them, or none. */
static bool copy_descriptors(struct server *server, const struct outgoing *outgoing, int ret[OUTGOING_DESCRIPTORS])
{
    uint32_t wanted = outgoing_descriptors(outgoing->fd), copied = 0;
    for (size_t i = 0; i < OUTGOING_DESCRIPTORS; i++) {
        ret[i] = i < wanted ? copy_descriptor(server, outgoing->fd[i]) : -EBADF;
        copied += ret[i] >= 0;
        descriptor_note(&server->descriptors, ret[i], DESCRIPTOR_PASSING);
    }
    for (size_t i = 0; copied < wanted && i < OUTGOING_DESCRIPTORS; i++) {
        ret[i] = descriptor_close(&server->descriptors, ret[i]);
    }
    return copied == wanted;
}

static void put_in(struct connection *connection, struct frame_queue *queue, struct queued_frame *queued)
{
    struct outbox *outbox = &connection->outbox;
    TAILQ_INSERT_TAIL(queue, queued, in_queue);
    outbox->queued_frames++;
    outbox->queued_bytes += queued->bytes;
    connection->load->queued_bytes += queued->bytes;
    connection->load->queued_descriptors += outgoing_descriptors(queued->fd);
}

static void take_out(struct connection *connection, struct frame_queue *queue, struct queued_frame *queued)
{
    struct outbox *outbox = &connection->outbox;
    TAILQ_REMOVE(queue, queued, in_queue);
    outbox->queued_frames--;
    outbox->queued_bytes -= queued->bytes;
    connection->load->queued_bytes -= queued->bytes;
    connection->load->queued_descriptors -= outgoing_descriptors(queued->fd);
    for (size_t i = 0; i < OUTGOING_DESCRIPTORS && queued->fd[i] >= 0; i++) { /* it may be the last one of a file */
        descriptor_forget(&connection->server->descriptors, queued->fd[i]);
        descriptor_close_copy_later(connection->server, connection->load->uid, queued->fd[i], queued->lender);
    }
    free(queued);
}

/* Whether it must not overtake what is held back. */
static bool must_wait_behind(const struct outbox *outbox, enum frame_order order, int fd)
{
    const struct queued_frame *first = TAILQ_FIRST(&outbox->held);
    return first && (fd >= 0 || order != FRAME_ANY || first->order == FRAME_FIRST);
}

/* From the queue; what stands there behind a frame that nothing may overtake goes with it. */
static void hold_frame(struct outbox *outbox, struct queued_frame *queued)
{
    TAILQ_REMOVE(&outbox->queue, queued, in_queue);
    TAILQ_INSERT_TAIL(&outbox->held, queued, in_queue);
    if (queued->order == FRAME_FIRST) {
        TAILQ_CONCAT(&outbox->held, &outbox->queue, in_queue);
    }
}

/* The first frame was sent: what waited for that alone may overtake again. */
static void let_overtake(struct outbox *outbox)
{
    struct queued_frame *queued = TAILQ_FIRST(&outbox->held), *next;
    for (; queued; queued = next) {
        next = TAILQ_NEXT(queued, in_queue);
        if (queued->order == FRAME_ANY && queued->fd[0] < 0) {
            TAILQ_REMOVE(&outbox->held, queued, in_queue);
            TAILQ_INSERT_TAIL(&outbox->queue, queued, in_queue);
        }
    }
}

static int enqueue(struct connection *connection, struct frame_queue *queue, const struct outgoing *outgoing)
{
    if (!has_room(connection, outgoing)) {
        cut_off_slow_reader(connection);
        return -ENOBUFS;
    }
    struct queued_frame *queued = malloc(sizeof *queued + outgoing->bytes);
    if (!queued || !copy_descriptors(connection->server, outgoing, queued->fd)) {
        free(queued);
        return -ENOMEM;
    }
    queued->lender = segment_index_mark(&connection->server->segments.index, outgoing->fd[0]);
    queued->order = outgoing->order;
    queued->bytes = outgoing->bytes;
    memcpy(queued->frame, outgoing->frame, outgoing->bytes);
    put_in(connection, queue, queued);
    return 0;
}

int outbox_send(struct connection *connection, const struct outgoing *outgoing)
{
    struct outbox *outbox = &connection->outbox;
    bool waits = must_wait_behind(outbox, outgoing->order, outgoing->fd[0]);
    int sent = waits || !TAILQ_EMPTY(&outbox->queue) ? -EAGAIN : send_now(connection, outgoing);
    if (sent != -EAGAIN && sent != -ETOOMANYREFS) {
        return sent;
    }
    bool is_held = waits || sent == -ETOOMANYREFS;
    int result = enqueue(connection, is_held ? &outbox->held : &outbox->queue, outgoing);
    if (result == 0) {
        if (sent == -ETOOMANYREFS) {
            hold(connection);
        }
        connection_listen(connection);
    }
    return result;
}

/* Sends the first frame of a queue, or moves it to those that are held. Negative errno: it was neither. */
static int send_queued(struct connection *connection, struct frame_queue *queue)
{
    struct outbox *outbox = &connection->outbox;
    struct queued_frame *queued = TAILQ_FIRST(queue);
    /* the one before was unlinked, which the analyzer does not follow */
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
    const struct outgoing outgoing = {queued->frame, queued->bytes, {queued->fd[0], queued->fd[1]}, queued->order};
    bool is_held = queue == &outbox->held;
    bool waits = !is_held && must_wait_behind(outbox, queued->order, queued->fd[0]);
    int result = waits ? 0 : send_now(connection, &outgoing);
    if (result == -ETOOMANYREFS) {
        hold(connection);
        waits = !is_held;
        result = 0;
    } else if (result == 0 && !waits) {
        bool was_first = queued->order == FRAME_FIRST;
        connection->server->outboxes.pause_ms = queued->fd[0] >= 0 ? 1 : connection->server->outboxes.pause_ms;
        take_out(connection, queue, queued);
        if (was_first) {
            let_overtake(outbox);
        }
    }
    if (waits) {
        hold_frame(outbox, queued);
    }
    return result;
}

int outbox_flush(struct connection *connection)
{
    struct outbox *outbox = &connection->outbox;
    int result = 0;
    for (int i = 0; i < FRAMES_AT_ONCE && result == 0 && outbox_wants_to_send(outbox); i++) {
        bool tries_held = !TAILQ_EMPTY(&outbox->held) && !outbox->is_held;
        result = send_queued(connection, tries_held ? &outbox->held : &outbox->queue);
    }
    connection_listen(connection);
    return result == -EAGAIN ? 0 : result;
}

/* ---- the end ---- */

static void drop_all(struct connection *connection, struct frame_queue *queue)
{
    struct queued_frame *queued;
    while ((queued = TAILQ_FIRST(queue))) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the one before was unlinked, which the analyzer does not follow
        take_out(connection, queue, queued);
    }
}

void outbox_close(struct connection *connection)
{
    struct outbox *outbox = &connection->outbox;
    drop_all(connection, &outbox->queue);
    drop_all(connection, &outbox->held);
    if (outbox->is_held) {
        TAILQ_REMOVE(&connection->server->outboxes.held, connection, in_held);
    }
    if (outbox->unread_descriptors) {
        in_transit_recount(connection);
    }
    if (outbox->unread_descriptors && unread_socket_keep(connection)) {
        connection->server->outboxes.pause_ms = 1;
        look_again(connection->server);
        in_transit_count(&connection->server->outboxes, connection->load, outbox->unread_descriptors,
                         0); /* they are the socket's now */
        in_transit_forget(connection);
    } else {
        in_transit_forget(connection);
        socket_close(connection->server, connection->load, connection->fd, connection->may_bring);
    }
    connection->fd = -EBADF;
}

void outboxes_open(struct server *server)
{
    struct outboxes *outboxes = &server->outboxes;
    TAILQ_INIT(&outboxes->unreceived);
    TAILQ_INIT(&outboxes->held);
    TAILQ_INIT(&outboxes->unread_sockets);
    in_flight_init(&outboxes->in_flight, (uint32_t)server->descriptors.ceiling);
    outboxes->pause_ms = 1;
    (void)uv_timer_init(&server->loop, &outboxes->timer);
    outboxes->timer.data = server;
}
