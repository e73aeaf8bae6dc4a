/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a packet, and passes it on: an answer, or an event. */
#include "client/receive.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client/answer.h"
#include "client/client.h"
#include "client/notice.h"
#include "proto/base/cleanup.h"

int receive_init(struct receiver *receiver)
{
    receiver->arena = codec_arena_new_limited(CODEC_SMALL_BYTES);
    receiver->packet = malloc(FRAME_BYTES_MAX); /* not zeroed: the pages behind a usual packet are never made */
    return receiver->arena && receiver->packet ? 0 : -ENOMEM;
}

void receive_close(struct receiver *receiver)
{
    free(receiver->arena);
    free(receiver->packet);
    receiver->arena = NULL;
    receiver->packet = NULL;
}

/* A broker that turns a connection away sends the error before it has read the hello. */
static void handle_reply(mb_client *client, struct reply *reply, struct packet_descriptors *descriptors)
{
    if (reply->kind == REPLY_ERROR && !reply->is_answer && client->link.state == LINK_GREETING) {
        reply->reply_to = client->session.hello_id;
        session_take_answer(client, reply, -EBADF);
    } else if (reply->is_answer) {
        answer_take(client, reply, descriptors);
    } else {
        notice_take(client, reply, descriptors->fd[0]);
    }
}

static void handle_packet(mb_client *client, size_t bytes, struct packet_descriptors *descriptors)
{
    struct receiver *receiver = &client->receiver;
    const uint8_t *payload;
    size_t payload_bytes;
    struct reply reply;
    cleanup(freep) struct codec_arena *large = NULL;
    if (frame_open(receiver->packet, bytes, &payload, &payload_bytes) < 0) {
        link_break(client);
        return;
    }
    int result = codec_decode_reply(payload, payload_bytes, receiver->arena, &reply);
    if (result < 0 && receiver->arena->ran_out && (large = codec_arena_new())) {
        result = codec_decode_reply(payload, payload_bytes, large, &reply);
    }
    if (result < 0) {
        link_break(client);
        return;
    }
    handle_reply(client, &reply, descriptors);
}

/* What nobody took is closed. */
static void close_descriptors(struct packet_descriptors *descriptors)
{
    for (int i = 0; i < TRANSPORT_DESCRIPTORS_MAX; i++) {
        (void)fd_close(descriptors->fd[i]);
    }
}

/* Absent ones are -EBADF. */
static void note_absent(struct packet_descriptors *descriptors, ssize_t received)
{
    for (int i = received > 0 ? (int)descriptors->count : 0; i < TRANSPORT_DESCRIPTORS_MAX; i++) {
        descriptors->fd[i] = -EBADF;
    }
}

/* While it waits the lock is given up. If the link broke meanwhile, this thread closes the socket. */
static ssize_t read_packet(mb_client *client, int socket, bool wait, struct packet_descriptors *descriptors)
{
    struct link *link = &client->link;
    struct receiver *receiver = &client->receiver;
    link->is_reading = true;
    if (wait) {
        struct wakes wakes = {0};
        calls_wake(client, &wakes);
        (void)pthread_mutex_unlock(&client->lock);
        wakes_send(&wakes);
    }
    ssize_t received = transport_receive(socket, receiver->packet, FRAME_BYTES_MAX, descriptors, wait);
    if (wait) {
        (void)pthread_mutex_lock(&client->lock);
    }
    link->is_reading = false;
    if (link->orphan == socket) {
        link->orphan = fd_close(link->orphan);
    }
    return received;
}

/* False: there was none, or the link broke. With `wait` the lock is given up while the thread reads. */
static bool receive_one(mb_client *client, bool wait)
{
    cleanup(close_descriptors) struct packet_descriptors descriptors = {.fd = {-EBADF, -EBADF}};
    int socket = client->link.socket;
    if (socket < 0 || (client->link.is_reading && !wait)) {
        return false;
    }
    ssize_t received = read_packet(client, socket, wait, &descriptors);
    note_absent(&descriptors, received);
    if (received == -EAGAIN) {
        return false;
    }
    if (client->link.socket != socket) {
        return false; /* the link was replaced meanwhile */
    }
    if (received <= 0) {
        link_break(client);
        return false;
    }
    handle_packet(client, (size_t)received, &descriptors);
    return true;
}

/* The packets that are there are all read before any thread is woken, since a thread that wakes may take this one's
 * processor. */
void receive_for(mb_client *client, const struct call *call)
{
    bool waits = true;
    while (receive_one(client, waits) && !call->is_done && !TAILQ_EMPTY(&client->calls.done)) {
        waits = false;
    }
}

void receive_all(mb_client *client)
{
    while (receive_one(client, false)) {
    }
    calls_wake_now(client);
}

/* Without room for descriptors the kernel drops them. */
void receive_discard(mb_client *client)
{
    char byte;
    while (recv(client->link.socket, &byte, 1, MSG_DONTWAIT) > 0) {
    }
}
