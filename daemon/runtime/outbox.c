/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of frames, and descriptors in flight. */
#include "daemon/runtime/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/reaper.h"
#include "daemon/runtime/turns.h"
#include "proto/base/cleanup.h"
#include "proto/transport.h"

enum {
    QUEUED_FRAMES_MAX = 256,
    FRAMES_AT_ONCE = 4,
    LOOKS_AT_ONCE = 64,      /* at sockets, whether what was sent was received */
    IN_FLIGHT_MAX = 16,      /* descriptors of one connection */
    HELD_PAUSE_MAX_MS = 128, /* the first is 1 ms, each later one twice as long until something is received */
};

struct queued_frame {
    TAILQ_ENTRY(queued_frame) in_queue;
    int fd; /* our own duplicate; -EBADF: none */
    size_t bytes;
    uint8_t frame[];
};

/* The socket of a connection that is over, with descriptors in flight. */
struct lingering {
    TAILQ_ENTRY(lingering) in_server;
    struct caller *caller;
    int fd;
    bool may_bring;
    uint32_t unread_descriptors;
};

void outbox_init(struct outbox *outbox)
{
    TAILQ_INIT(&outbox->queue);
}

bool outbox_wants_to_send(const struct outbox *outbox)
{
    return !TAILQ_EMPTY(&outbox->queue) && !outbox->is_held;
}

bool outbox_is_full(const struct outbox *outbox)
{
    return outbox->queued_frames >= QUEUED_FRAMES_MAX / 2;
}

/* ---- descriptors in flight ---- */

static void forget_unread(struct connection *connection)
{
    if (connection->outbox.unread_descriptors) {
        connection->caller->unread_descriptors -= connection->outbox.unread_descriptors;
        connection->outbox.unread_descriptors = 0;
        TAILQ_REMOVE(&connection->server->unreceived, connection, in_unreceived);
    }
}

static void recount(struct connection *connection)
{
    if (transport_unread(connection->fd) == 0) {
        forget_unread(connection);
    }
}

static bool may_send_descriptor(struct connection *connection)
{
    const struct caller *caller = connection->caller;
    const struct outbox *outbox = &connection->outbox;
    uint32_t most = connection->server->in_flight_max;
    if (outbox->unread_descriptors >= IN_FLIGHT_MAX || caller->unread_descriptors >= most) {
        recount(connection);
    }
    return outbox->unread_descriptors < IN_FLIGHT_MAX && caller->unread_descriptors < most;
}

static int send_now(struct connection *connection, const uint8_t *frame, size_t bytes, int fd)
{
    if (fd >= 0 && !may_send_descriptor(connection)) {
        return -ETOOMANYREFS;
    }
    int result = transport_send(connection->fd, frame, bytes, fd, false);
    if (result == 0 && fd >= 0) {
        if (connection->outbox.unread_descriptors++ == 0) {
            TAILQ_INSERT_TAIL(&connection->server->unreceived, connection, in_unreceived);
        }
        connection->caller->unread_descriptors++;
    }
    return result;
}

/* Some of those whose clients may have received by now, the longest unseen first. */
static void recount_some(struct server *server)
{
    struct connection *connection;
    for (int i = 0; i < LOOKS_AT_ONCE && (connection = TAILQ_FIRST(&server->unreceived)); i++) {
        TAILQ_REMOVE(&server->unreceived, connection, in_unreceived);
        TAILQ_INSERT_TAIL(&server->unreceived, connection, in_unreceived);
        recount(connection);
    }
}

static void end_lingering(struct server *server, struct lingering *lingering)
{
    TAILQ_REMOVE(&server->lingering, lingering, in_server);
    lingering->caller->unread_descriptors -= lingering->unread_descriptors;
    reaper_close_socket(server, lingering->caller, lingering->fd, lingering->may_bring);
    free(lingering);
}

/* Closes the sockets of ended connections whose clients have received everything, or are gone. */
static void tend_lingering(struct server *server)
{
    struct lingering *lingering;
    for (int i = 0; i < LOOKS_AT_ONCE && (lingering = TAILQ_FIRST(&server->lingering)); i++) {
        TAILQ_REMOVE(&server->lingering, lingering, in_server);
        TAILQ_INSERT_TAIL(&server->lingering, lingering, in_server);
        if (transport_unread(lingering->fd) == 0) {
            end_lingering(server, lingering);
        }
    }
}

static void look_again(struct server *server);

/*
 * Nothing tells when a client has received: it is looked at after a pause, and those who are held back try again. A few
 * each time: somebody may have thousands of connections on which nothing is ever received.
 */
static void on_held(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct connection *connection;
    server->held_pause_ms = server->held_pause_ms < HELD_PAUSE_MAX_MS ? server->held_pause_ms * 2 : HELD_PAUSE_MAX_MS;
    if (!TAILQ_EMPTY(&server->held)) {
        recount_some(server);
    }
    for (int i = 0; i < LOOKS_AT_ONCE && (connection = TAILQ_FIRST(&server->held)); i++) {
        TAILQ_REMOVE(&server->held, connection, in_held);
        connection->outbox.is_held = false;
        turns_add(connection);
    }
    tend_lingering(server);
    if (!TAILQ_EMPTY(&server->held) || !TAILQ_EMPTY(&server->lingering)) {
        look_again(server);
    }
}

static void look_again(struct server *server)
{
    if (!uv_is_active((const uv_handle_t *)&server->held_timer)) {
        (void)uv_timer_start(&server->held_timer, on_held, server->held_pause_ms, 0);
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
    TAILQ_INSERT_TAIL(&server->held, connection, in_held);
}

/* ---- the queue ---- */

static bool has_room(const struct connection *connection, size_t bytes, int fd)
{
    const struct client_bounds *bounds = &connection->server->config->clients;
    const struct outbox *outbox = &connection->outbox;
    const struct caller *caller = connection->caller;
    return outbox->queued_frames < QUEUED_FRAMES_MAX && outbox->queued_bytes + bytes <= bounds->unread_bytes_max &&
           caller->queued_bytes + bytes <= bounds->user_unread_bytes_max &&
           (fd < 0 || caller->queued_descriptors < connection->server->in_flight_max);
}

static void log_deaf(const struct connection *connection)
{
    struct log_about about = peer_about(connection->peer, LOG_EVENT_CLIENT_CUT_OFF, 0);
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about, "process %d does not read its answers: disconnected",
                 connection->peer->identity.pid);
    }
}

/* A descriptor of our own: the lease may end before it is sent. */
static int copy_descriptor(const struct server *server, int fd)
{
    cleanup(fd_closep) int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy < server->fd_ceiling ? fd_steal(&copy) : -EMFILE;
}

static void put_in(struct connection *connection, struct queued_frame *queued)
{
    struct outbox *outbox = &connection->outbox;
    TAILQ_INSERT_TAIL(&outbox->queue, queued, in_queue);
    outbox->queued_frames++;
    outbox->queued_bytes += queued->bytes;
    connection->caller->queued_bytes += queued->bytes;
    connection->caller->queued_descriptors += queued->fd >= 0;
}

static void take_out(struct connection *connection, struct queued_frame *queued)
{
    struct outbox *outbox = &connection->outbox;
    TAILQ_REMOVE(&outbox->queue, queued, in_queue);
    outbox->queued_frames--;
    outbox->queued_bytes -= queued->bytes;
    connection->caller->queued_bytes -= queued->bytes;
    connection->caller->queued_descriptors -= queued->fd >= 0;
    (void)fd_close(queued->fd);
    free(queued);
}

static int enqueue(struct connection *connection, const uint8_t *frame, size_t bytes, int fd)
{
    if (!has_room(connection, bytes, fd)) {
        log_deaf(connection);
        return -ENOBUFS;
    }
    int copy = fd < 0 ? -EBADF : copy_descriptor(connection->server, fd);
    struct queued_frame *queued = malloc(sizeof *queued + bytes);
    if (!queued || (fd >= 0 && copy < 0)) {
        free(queued);
        (void)fd_close(copy);
        return -ENOMEM;
    }
    queued->fd = copy;
    queued->bytes = bytes;
    memcpy(queued->frame, frame, bytes);
    put_in(connection, queued);
    return 0;
}

int outbox_send(struct connection *connection, const uint8_t *frame, size_t bytes, int fd)
{
    int sent = TAILQ_EMPTY(&connection->outbox.queue) ? send_now(connection, frame, bytes, fd) : -EAGAIN;
    if (sent != -EAGAIN && sent != -ETOOMANYREFS) {
        return sent;
    }
    int result = enqueue(connection, frame, bytes, fd);
    if (result == 0) {
        if (sent == -ETOOMANYREFS) {
            hold(connection);
        }
        connection_listen(connection);
    }
    return result;
}

int outbox_flush(struct connection *connection)
{
    struct queued_frame *queued;
    for (int i = 0; i < FRAMES_AT_ONCE && (queued = TAILQ_FIRST(&connection->outbox.queue)); i++) {
        /* the one before was unlinked, which the analyzer does not follow */
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        int result = send_now(connection, queued->frame, queued->bytes, queued->fd);
        if (result == -EAGAIN) {
            break;
        }
        if (result == -ETOOMANYREFS) {
            hold(connection);
            break;
        }
        connection->server->held_pause_ms = queued->fd >= 0 ? 1 : connection->server->held_pause_ms;
        take_out(connection, queued);
        if (result < 0) {
            return result;
        }
    }
    connection_listen(connection);
    return 0;
}

/* ---- the end ---- */

static bool linger(struct connection *connection)
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
    connection->server->held_pause_ms = 1;
    look_again(connection->server);
    return true;
}

void outbox_close(struct connection *connection)
{
    struct queued_frame *queued;
    while ((queued = TAILQ_FIRST(&connection->outbox.queue))) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
        take_out(connection, queued);
    }
    if (connection->outbox.is_held) {
        TAILQ_REMOVE(&connection->server->held, connection, in_held);
    }
    if (connection->outbox.unread_descriptors) {
        recount(connection);
    }
    if (connection->outbox.unread_descriptors && linger(connection)) {
        connection->caller->unread_descriptors += connection->outbox.unread_descriptors; /* they are the socket's now */
        forget_unread(connection);
    } else {
        forget_unread(connection);
        reaper_close_socket(connection->server, connection->caller, connection->fd, connection->may_bring);
    }
    connection->fd = -EBADF;
}

void outbox_close_all(struct server *server)
{
    struct lingering *lingering;
    while ((lingering = TAILQ_FIRST(&server->lingering))) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
        end_lingering(server, lingering);
    }
}

void outbox_open_all(struct server *server)
{
    enum { LEAST = 16, USERS = 8 /* that may have as much as they can in flight at once */ };
    uint32_t share = (uint32_t)server->fd_ceiling / USERS;
    TAILQ_INIT(&server->unreceived);
    TAILQ_INIT(&server->held);
    TAILQ_INIT(&server->lingering);
    server->in_flight_max = share > LEAST ? share : LEAST;
    server->held_pause_ms = 1;
    (void)uv_timer_init(&server->loop, &server->held_timer);
    server->held_timer.data = server;
}
