/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/runtime/about.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/server.h"
#include "proto/base/text.h"

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

void reply_send(struct connection *connection, struct reply *reply, int fd)
{
    reply_send_two(connection, reply, fd, -EBADF);
}

void reply_send_two(struct connection *connection, struct reply *reply, int fd, int second)
{
    struct server *server = connection->server;
    if (connection->is_ended || is_droppable(connection, reply)) {
        return;
    }
    const int fds[OUTGOING_DESCRIPTORS] = {fd, second};
    reply->descriptors = outgoing_descriptors(fds);
    int bytes = codec_encode_reply(reply, server->buffers.arena, server->buffers.sent);
    if (bytes < 0) {
        log_error("an answer does not fit a message (kind %d)", (int)reply->kind);
        return;
    }
    const struct outgoing outgoing = {server->buffers.sent, (size_t)bytes, {fd, second}, order_of(reply)};
    if (outbox_send(connection, &outgoing) < 0) {
        connection_close(connection);
    }
}

static void log_failure(const struct connection *connection, const char *sentence)
{
    struct peer *peer = connection->peer;
    struct log_about about = about_peer(peer, LOG_EVENT_CLIENT_CUT_OFF, 0);
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_INFO, &about, "process %d (uid %u) disconnected: %s", peer->identity.pid, peer->identity.uid,
                 sentence);
    }
}

static void say_why(struct connection *connection, struct reply *reply)
{
    log_failure(connection, reply->error.sentence);
    reply_send(connection, reply, -EBADF);
}

void reply_fail(struct connection *connection, enum error_code code, const char *format, ...)
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

void reply_replaced(struct connection *connection)
{
    struct reply reply = {.kind = REPLY_ERROR};
    (void)snprintf(reply.error.sentence, sizeof reply.error.sentence, "session %llu was resumed on another connection",
                   (unsigned long long)connection->peer->session);
    reply.error.code = ERROR_REPLACED;
    say_why(connection, &reply);
    connection_close(connection);
}

void reply_answer(struct connection *connection, const struct request *request, struct reply *reply, int fd)
{
    if (request->id || request->kind == REQUEST_HELLO) {
        reply->is_answer = true;
        reply->reply_to = request->id;
        reply_send(connection, reply, fd);
    }
}

void reply_error(struct connection *connection, const struct request *request, enum error_code code,
                 const char *sentence)
{
    struct reply reply = {.kind = REPLY_ERROR};
    reply.error.code = code;
    text_copy(reply.error.sentence, sizeof reply.error.sentence, sentence);
    text_end_whole(reply.error.sentence);
    reply_answer(connection, request, &reply, -EBADF);
}
