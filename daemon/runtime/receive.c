/* SPDX-License-Identifier: Apache-2.0 */
/* Reading messages and serving them; and whose turn it is to be read. */
#include "daemon/runtime/receive.h"

#include "daemon/runtime/clock.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/requests.h"
#include "daemon/runtime/server.h"
#include "proto/transport.h"

enum { READS_BEFORE_EXPIRY = 32 }; /* before the leases of its client are checked */

static void serve_payload(struct connection *connection, const uint8_t *payload, size_t bytes)
{
    struct request request;
    const char *fault = NULL;
    int result = codec_decode_request(payload, bytes, connection->server->buffers.arena, &request, &fault);
    if (result == -EBADMSG) {
        reply_fail(connection, ERROR_MALFORMED, "a message of %zu bytes is not a membroker.v1.ClientMessage", bytes);
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
        reply_fail(connection, ERROR_OVERSIZED, "a message may have at most %d bytes", MESSAGE_BYTES_MAX);
    } else if (result < 0) {
        reply_fail(connection, ERROR_MALFORMED,
                   "a packet of %zu bytes does not hold the message that its length field promises", bytes);
    } else {
        serve_payload(connection, payload, payload_bytes);
    }
}

/* Reads one packet. False: there is no more for now, or the connection is closed. */
static bool read_one(struct connection *connection)
{
    struct server *server = connection->server;
    ssize_t received = transport_receive_bare(connection->fd, server->buffers.received, sizeof server->buffers.received,
                                              connection->may_bring);
    connection->messages++;
    connection->load->messages++;
    server->figures.messages += received > 0;
    if (received > 0) {
        serve_packet(connection, server->buffers.received, (size_t)received);
    } else if (received == -EMSGSIZE) {
        reply_fail(connection, ERROR_OVERSIZED, "a message may have at most %d bytes", MESSAGE_BYTES_MAX);
    } else if (received == -EBADF) {
        reply_fail(connection, ERROR_MALFORMED, "descriptors came with a message; the broker takes none");
    } else if (received == 0 && !transport_has_ended(connection->fd)) {
        reply_fail(connection, ERROR_MALFORMED, "a packet of 0 bytes holds no message");
    } else if (received != -EAGAIN) {
        connection_close(connection);
    }
    return received > 0 && !connection->is_ended;
}

static void read_all(struct connection *connection)
{
    uint64_t began = clock_monotonic();
    for (int i = 0; i < READS_BEFORE_EXPIRY && !connection->is_ended && read_one(connection); i++) {
    }
    scheduler_charge(connection->load, clock_monotonic() - began);
}

static bool has_said_enough(const struct connection *connection)
{
    const struct client_bounds *bounds = &connection->server->config->clients;
    return connection->messages >= bounds->messages_max || connection->load->messages >= bounds->user_messages_max;
}

static bool serve_one(struct connection *connection)
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

void receive_from_peer(struct peer *peer)
{
    if (peer->connection) {
        read_all(peer->connection);
    }
}

/* ---- turns ---- */

#define TURN_NS  100000 /* of serving, before newcomers are looked for */
#define SHARE_NS 25000  /* of one user in a round */

static void serve(struct connection *connection)
{
    scheduler_remove(connection);
    if (serve_one(connection)) {
        scheduler_add(connection);
    } else if (connection->is_paused) {
        connection->is_paused = false;
        connection_listen(connection);
    }
}

/* Returns the time then. */
static uint64_t serve_share(struct server *server, struct user_load *load, uint64_t now)
{
    struct connection *connection;
    TAILQ_REMOVE(&server->scheduler.ready, load, in_turn);
    TAILQ_INSERT_TAIL(&server->scheduler.ready, load, in_turn);
    load->credit_ns = load->credit_ns > 0 ? SHARE_NS : load->credit_ns + SHARE_NS;
    while (load->credit_ns > 0 && (connection = TAILQ_FIRST(&load->ready))) {
        serve(connection);
        uint64_t then = clock_monotonic();
        scheduler_charge(load, then - now);
        now = then;
    }
    return now;
}

void receive_in_turns(struct server *server)
{
    uint64_t now = clock_monotonic(), end = now + TURN_NS;
    struct user_load *load;
    while (now < end && (load = TAILQ_FIRST(&server->scheduler.ready))) {
        now = serve_share(server, load, now);
    }
}
