/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: reading, sending, closing. What a request means is in requests.c. */
#include "daemon/runtime/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/os/peer_identity.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/requests.h"
#include "daemon/runtime/turns.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/transport.h"

enum {
    READS_TO_JUDGE = 32, /* before its leases are judged */
    TENDING_MS = 1000,
};

int connection_socket(const struct connection *connection)
{
    return connection->fd;
}

struct peer *connection_peer(const struct connection *connection)
{
    return connection->peer;
}

struct server *connection_server(const struct connection *connection)
{
    return connection->server;
}

bool connection_is_open(const struct connection *connection)
{
    return !connection->is_ended;
}

/* ---- the end ---- */

struct connection *connection_hold(struct connection *connection)
{
    connection->references++;
    return connection;
}

void connection_release(struct connection *connection)
{
    assert(connection->references > 0);
    if (--connection->references == 0) {
        connection->peer->references--;
        free(connection);
    }
}

void connection_close(struct connection *connection)
{
    if (connection->is_ended) {
        return;
    }
    connection->is_ended = true;
    turns_remove(connection);
    (void)uv_poll_stop(&connection->poll);
    LIST_INSERT_HEAD(&connection->server->ended, connection, in_ended);
}

void connections_close_all(struct server *server)
{
    struct connection *connection;
    LIST_FOREACH(connection, &server->connections, in_server) {
        connection_close(connection);
    }
}

/* ---- sending ---- */

static void on_ready(uv_poll_t *poll, int status, int events);

void connection_listen(struct connection *connection)
{
    if (connection->is_ended) {
        return;
    }
    int events =
        (connection->is_resting ? 0 : UV_READABLE) | (outbox_wants_to_send(&connection->outbox) ? UV_WRITABLE : 0);
    (void)uv_poll_start(&connection->poll, connection->is_paused ? 0 : events, on_ready);
}

/*
 * News that the control page tells as well is not worth cutting a client off for: where many of its leases end at
 * once, it gets as much of it as it reads.
 */
static bool is_droppable(const struct connection *connection, const struct reply *reply)
{
    return outbox_is_full(&connection->outbox) && !reply->is_answer &&
           (reply->kind == EVENT_LEASE_ENDED || reply->kind == EVENT_EXPIRING || reply->kind == EVENT_TRIM);
}

static enum frame_order order_of(const struct reply *reply)
{
    bool lists_leases = reply->kind == REPLY_LISTING && reply->listing.lease_count > 0;
    return reply->kind == REPLY_WELCOME ? FRAME_FIRST : lists_leases ? FRAME_AFTER_GRANTS : FRAME_ANY;
}

void connection_send(struct connection *connection, struct reply *reply, int fd)
{
    struct server *server = connection->server;
    if (connection->is_ended || is_droppable(connection, reply)) {
        return;
    }
    reply->descriptors = fd >= 0;
    int bytes = codec_encode_reply(reply, server->arena, server->frame);
    if (bytes < 0) {
        log_error("an answer does not fit a message (kind %d)", (int)reply->kind);
        return;
    }
    const struct outgoing outgoing = {server->frame, (size_t)bytes, fd, order_of(reply)};
    if (outbox_send(connection, &outgoing) < 0) {
        connection_close(connection);
    }
}

static void log_failure(const struct connection *connection, const char *sentence)
{
    struct peer *peer = connection->peer;
    struct log_about about = peer_about(peer, LOG_EVENT_CLIENT_CUT_OFF, 0);
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_INFO, &about, "process %d (uid %u) disconnected: %s", peer->identity.pid, peer->identity.uid,
                 sentence);
    }
}

static void say_why(struct connection *connection, struct reply *reply)
{
    log_failure(connection, reply->error.sentence);
    connection_send(connection, reply, -EBADF);
}

void connection_fail(struct connection *connection, enum error_code code, const char *format, ...)
{
    struct reply reply = {.kind = REPLY_ERROR};
    if (connection->is_ended) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reply.error.sentence, sizeof reply.error.sentence, format, arguments);
    va_end(arguments);
    reply.error.code = code;
    say_why(connection, &reply);
    connection_close(connection);
}

static void tell_replaced(struct connection *connection)
{
    struct reply reply = {.kind = REPLY_ERROR};
    (void)snprintf(reply.error.sentence, sizeof reply.error.sentence, "session %llu was resumed on another connection",
                   (unsigned long long)connection->peer->session);
    reply.error.code = ERROR_REPLACED;
    say_why(connection, &reply);
    connection_close(connection);
}

void connection_resume(struct connection *connection, struct peer *peer)
{
    struct peer *before = connection->peer;
    if (peer->connection && connection_is_open(peer->connection)) {
        tell_replaced(peer->connection);
    }
    before->connection = NULL;
    before->references--;
    peer_retire(before);
    peer->references++;
    peer->connection = connection;
    connection->peer = peer;
}

/* ---- reading ---- */

static void serve_payload(struct connection *connection, const uint8_t *payload, size_t bytes)
{
    struct request request;
    const char *fault = NULL;
    int result = codec_decode_request(payload, bytes, connection->server->arena, &request, &fault);
    if (result == -EBADMSG) {
        connection_fail(connection, ERROR_MALFORMED, "a message of %zu bytes is not a membroker.v1.ClientMessage",
                        bytes);
    } else if (result == -EINVAL) {
        requests_answer_fault(connection, &request, fault);
    } else {
        requests_serve(connection, &request);
    }
}

static void serve_packet(struct connection *connection, const uint8_t *packet, size_t bytes)
{
    const uint8_t *payload;
    size_t payload_bytes;
    int result = frame_open(packet, bytes, &payload, &payload_bytes);
    if (result == -EMSGSIZE) {
        connection_fail(connection, ERROR_OVERSIZED, "a message may have at most %d bytes", MESSAGE_BYTES_MAX);
    } else if (result < 0) {
        connection_fail(connection, ERROR_MALFORMED,
                        "a packet of %zu bytes does not hold the message that its length field promises", bytes);
    } else {
        serve_payload(connection, payload, payload_bytes);
    }
}

/* Reads one packet. False: there is no more for now, or the connection is closed. */
static bool read_one(struct connection *connection)
{
    struct server *server = connection->server;
    ssize_t received =
        transport_receive_bare(connection->fd, server->packet, sizeof server->packet, connection->may_bring);
    connection->messages++;
    connection->caller->messages++;
    if (received > 0) {
        serve_packet(connection, server->packet, (size_t)received);
    } else if (received == -EMSGSIZE) {
        connection_fail(connection, ERROR_OVERSIZED, "a message may have at most %d bytes", MESSAGE_BYTES_MAX);
    } else if (received == -EBADF) {
        connection_fail(connection, ERROR_MALFORMED, "descriptors came with a message; the broker takes none");
    } else if (received == 0 && !transport_has_ended(connection->fd)) {
        connection_fail(connection, ERROR_MALFORMED, "a packet of 0 bytes holds no message");
    } else if (received != -EAGAIN) {
        connection_close(connection);
    }
    return received > 0 && !connection->is_ended;
}

void connection_read(struct connection *connection)
{
    uint64_t began = server_monotonic();
    for (int i = 0; i < READS_TO_JUDGE && !connection->is_ended && read_one(connection); i++) {
    }
    turns_charge(connection->caller, server_monotonic() - began);
}

static bool has_said_enough(const struct connection *connection)
{
    const struct client_bounds *bounds = &connection->server->config->clients;
    return connection->messages >= bounds->messages_max || connection->caller->messages >= bounds->user_messages_max;
}

bool connection_serve(struct connection *connection)
{
    if (outbox_wants_to_send(&connection->outbox) && outbox_flush(connection) < 0) {
        connection_close(connection);
    }
    if (connection->is_ended || connection->is_resting) {
        return false;
    }
    if (has_said_enough(connection)) {
        connection->is_resting = true;
        connection_listen(connection);
        return false;
    }
    return read_one(connection);
}

/* Who is ready still when the loop polls again has to wait for its turn: until then it is not polled. */
static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    (void)events;
    if (status < 0) {
        connection_close(connection);
    } else if (connection->is_ready) {
        connection->is_paused = true;
        connection_listen(connection);
    } else {
        turns_add(connection);
    }
}

/* ---- beginning ---- */

static struct connection *connection_new(struct server *server, int socket, const struct identity *identity)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct peer *peer = connection ? peer_new(server, identity) : NULL;
    struct caller *caller = peer ? callers_add(&server->callers, identity_charged(identity)) : NULL;
    if (!caller || uv_poll_init(&server->loop, &connection->poll, socket) < 0) {
        if (caller) {
            callers_remove(caller);
        }
        free(connection);
        if (peer) {
            peer_retire(peer);
        }
        return NULL;
    }
    connection->server = server;
    connection->peer = peer;
    connection->caller = caller;
    connection->fd = socket;
    connection->may_bring = !transport_refuses_descriptors(socket);
    connection->references = 1;
    connection->poll.data = connection;
    connection->opened_at = server_monotonic();
    outbox_init(&connection->outbox);
    LIST_INSERT_HEAD(&server->connections, connection, in_server);
    peer->connection = connection;
    peer->references = 1;
    return connection;
}

/* Who is one too many is told so, and gone. Who may be here at all is found out at the hello. */
static void admit(struct connection *connection)
{
    const struct config *config = connection->server->config;
    const struct identity *identity = &connection->peer->identity;
    if (connection->caller->connections > config->clients.connections_max) {
        connection_fail(connection, ERROR_TOO_MANY,
                        "user %u has %u connections, as many as [clients] max_connections allows; close some",
                        identity_charged(identity), config->clients.connections_max);
    }
}

void connection_accept(struct server *server, int socket)
{
    struct identity identity;
    uint64_t began = server_monotonic();
    int result = peer_identity(socket, &identity);
    struct connection *connection = result < 0 ? NULL : connection_new(server, socket, &identity);
    if (!connection) {
        static const struct log_about anybody = {.event = LOG_EVENT_NONE};
        if (log_allows(&anybody)) {
            log_error("a client could not be served: %s", result < 0 ? strerror(-result) : "out of memory");
        }
        (void)fd_close(socket);
        return;
    }
    connection_listen(connection);
    admit(connection);
    turns_charge(connection->caller, server_monotonic() - began);
}

void connection_turn_away(struct server *server, int socket)
{
    struct identity identity;
    struct connection *connection =
        peer_identity(socket, &identity) < 0 ? NULL : connection_new(server, socket, &identity);
    if (connection) {
        connection_fail(connection, ERROR_TOO_MANY,
                        "the broker has no descriptor left for another client; try again later, or raise its "
                        "LimitNOFILE");
    } else {
        (void)fd_close(socket);
    }
}

/* ---- tending ---- */

static void tend(struct connection *connection)
{
    uint32_t handshake_ms = connection->server->config->clients.handshake_ms;
    uint64_t waited = server_monotonic() - connection->opened_at;
    connection->messages = 0;
    if (connection->is_resting) {
        connection->is_resting = false;
        connection_listen(connection);
    }
    if (!connection->peer->greeted && waited / NANOSECONDS_PER_MILLISECOND >= handshake_ms) {
        connection_fail(connection, ERROR_NOT_GREETED, "no hello came within %u ms ([clients] handshake_time)",
                        handshake_ms);
    }
}

static void on_tending(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct connection *connection;
    log_summarise();
    callers_tend(&server->callers);
    LIST_FOREACH(connection, &server->connections, in_server) {
        tend(connection);
    }
}

void connections_tend(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->tending);
    server->tending.data = server;
    (void)uv_timer_start(&server->tending, on_tending, TENDING_MS, TENDING_MS);
}
