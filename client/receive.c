/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving: whose answer it is, and what an event changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"
#include "proto/base/cleanup.h"

/* ---- the welcome ---- */

/* Asks which leases the broker has for this session: it may have granted one whose answer was lost. */
static void ask_for_leases(mb_client *client, uint64_t after)
{
    struct request request = {.id = client->next_id++, .kind = REQUEST_LIST};
    request.list = (struct list_request){.what = LIST_OWN_LEASES, .after = after};
    client->list_id = request.id;
    (void)link_send(client, &request);
}

static int take_welcome(mb_client *client, const struct welcome_reply *welcome, int fd, const char **ret_fault)
{
    bool known = welcome->resumed && welcome->session == client->session;
    const struct control_page_event page = {.bytes = welcome->control_bytes};
    int result = control_take(client, welcome->session, fd, &page, ret_fault);
    if (result < 0) {
        return result;
    }
    if (!known) {
        client->lost_session = client->lost_session || client->session != 0;
        leases_sweep(client, MB_END_BROKER_GONE);
    }
    client->session = welcome->session;
    client->token = welcome->token;
    client->times = welcome->times;
    client->leases_survive = welcome->leases_survive;
    client->state = LINK_UP;
    client->backoff_ms = 0;
    client->hello_id = 0;
    client->renew_at = TAILQ_EMPTY(&client->leases) ? UINT64_MAX : 0;
    if (known) {
        link_repeat_calls(client); /* first: what they are granted is not to be taken for an orphan */
        ask_for_leases(client, 0);
        link_forget_use(client);
        leases_sweep(client, MB_END_NONE);
    } else {
        link_repeat_calls(client); /* what a session that is lost was waiting for */
    }
    if (known) {
        event_push(client, MB_EVENT_RESUMED, NULL, NULL);
    } else if (client->lost_session) {
        event_push(client, MB_EVENT_NEW_SESSION, NULL, NULL);
    }
    return 0;
}

/* The broker does not know our session: everything in it is lost, and a new one begins on the same connection. */
static void begin_anew(mb_client *client)
{
    struct request request = {.id = client->next_id++, .kind = REQUEST_HELLO, .hello = client->hello};
    leases_sweep(client, MB_END_BROKER_GONE);
    link_fail_extends(client);
    client->lost_session = true;
    client->session = 0;
    client->hello_id = request.id;
    (void)link_send(client, &request);
}

/* ---- answers ---- */

static struct call *call_find(mb_client *client, uint64_t id)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls, in_client) {
        if (call->id == id) {
            return call;
        }
    }
    return NULL;
}

static void finish(mb_client *client, struct call *call, int result, const char *sentence)
{
    TAILQ_REMOVE(&client->calls, call, in_client);
    call->done = true;
    call->result = result;
    (void)snprintf(call->sentence, sizeof call->sentence, "%s", sentence);
    (void)pthread_cond_broadcast(&client->changed);
}

static void answer_hello(mb_client *client, const struct reply *reply, int fd)
{
    struct call *call = call_find(client, reply->reply_to);
    int result = -EPROTO;
    const char *sentence = "the broker's welcome makes no sense";
    if (reply->kind == REPLY_WELCOME) {
        const char *fault = NULL;
        result = take_welcome(client, &reply->welcome, fd, &fault);
        sentence = fault ? fault : sentence;
    } else if (reply->kind == REPLY_ERROR && reply->error.code == ERROR_NO_SUCH_SESSION && client->session) {
        begin_anew(client);
        return;
    } else if (reply->kind == REPLY_ERROR) {
        result = error_from_broker(&reply->error);
        sentence = reply->error.sentence;
    }
    if (call) {
        finish(client, call, result, sentence);
    }
    if (result < 0) {
        link_broke(client);
    }
}

/* A grant that nobody waits for any more goes back. */
static void return_grant(mb_client *client, uint64_t lease)
{
    mb_lease *stub = calloc(1, sizeof *stub);
    if (stub) {
        stub->id = lease;
        TAILQ_INSERT_TAIL(&client->releases, stub, in_client);
        link_flush_releases(client);
    }
}

static void answer_grant(mb_client *client, struct call *call, const struct reply *reply, int *fd)
{
    if (!call->lease || call->lease->extent_count == EXTENTS_MAX || *fd < 0 ||
        !control_find(client, reply->grant.slot)) {
        if (!lease_find(client, reply->grant.lease)) {
            return_grant(client, reply->grant.lease);
        }
        finish(client, call, -EPROTO, "the broker's grant makes no sense");
        return;
    }
    call->extent = call->lease->extent_count;
    lease_take_grant(client, call->lease, &reply->grant, fd_steal(fd));
    finish(client, call, 0, "");
}

static void compare_listing(mb_client *client, const struct listing_reply *listing)
{
    uint64_t last = 0;
    client->list_id = 0;
    for (size_t i = 0; i < listing->lease_count; i++) {
        last = listing->leases[i].lease;
        if (!lease_find(client, last)) {
            return_grant(client, last);
        }
    }
    if (listing->more && listing->lease_count) {
        ask_for_leases(client, last);
    }
}

static void note_ended(mb_client *client, const struct lease_end *end)
{
    mb_lease *lease = lease_find(client, end->lease);
    if (lease) {
        lease_note_loss(lease, end->reason == END_NONE ? MB_END_EXPIRED : (mb_end_reason)end->reason);
    }
}

static void handle_answer(mb_client *client, const struct reply *reply, int *fd)
{
    if (reply->reply_to == client->hello_id && client->state == LINK_GREETING) {
        answer_hello(client, reply, *fd);
        return;
    }
    if (reply->kind == REPLY_LISTING && reply->reply_to == client->list_id) {
        compare_listing(client, &reply->listing);
        return;
    }
    if (reply->kind == REPLY_RENEWED) {
        for (size_t i = 0; i < reply->renewed.ended_count; i++) {
            note_ended(client, &reply->renewed.ended[i]);
        }
        return;
    }
    struct call *call = call_find(client, reply->reply_to);
    if (!call) {
        if (reply->kind == REPLY_GRANT && !lease_find(client, reply->grant.lease)) {
            return_grant(client, reply->grant.lease);
        }
    } else if (reply->kind == REPLY_GRANT) {
        answer_grant(client, call, reply, fd);
    } else if (reply->kind == REPLY_ERROR) {
        finish(client, call, error_from_broker(&reply->error), reply->error.sentence);
    } else {
        finish(client, call, 0, "");
    }
}

/* ---- events ---- */

/* Without it no grant could be checked: it is asked for anew with the session. */
static void take_control_page(mb_client *client, const struct control_page_event *page, int fd)
{
    const char *fault;
    if (control_take(client, client->session, fd, page, &fault) < 0) {
        link_broke(client);
    }
}

/* Not of a lease that has ended: the program may have been told of that end before. */
static void push_warning(mb_client *client, mb_event_type type, uint64_t id, uint64_t milliseconds)
{
    const mb_event details = {.milliseconds = milliseconds};
    mb_lease *lease = lease_find(client, id);
    if (lease && !lease->is_cached && mb_lease_end_reason(lease) == MB_END_NONE) {
        event_push(client, type, lease, &details);
    }
}

static void handle_event(mb_client *client, const struct reply *reply, int fd)
{
    mb_event details = {0};
    switch ((int)reply->kind) {
    case EVENT_EXPIRING:
        client->renew_at = 0;
        background_wake(client);
        push_warning(client, MB_EVENT_EXPIRING, reply->expiring.lease, reply->expiring.remaining_ms);
        break;
    case EVENT_LEASE_ENDED:
        note_ended(client, &reply->lease_ended);
        break;
    case EVENT_LIMITS_CHANGED:
        client->times = reply->limits_changed.times;
        event_push(client, MB_EVENT_LIMITS_CHANGED, NULL, NULL);
        break;
    case EVENT_TRIM:
        if (client->stopping) {
            break; /* everything goes back anyway */
        }
        client->trim_asked = true;
        atomic_fetch_add(&client->trims, 1);
        background_wake(client);
        details.bytes = reply->trim.wanted_bytes;
        details.location = (mb_location)reply->trim.location;
        event_push(client, MB_EVENT_TRIM, NULL, &details);
        break;
    case EVENT_PRESSURE:
        details.pressure = (mb_pressure)reply->pressure;
        event_push(client, MB_EVENT_PRESSURE, NULL, &details);
        break;
    case EVENT_REVOKING:
        push_warning(client, MB_EVENT_REVOKING, reply->revoking.lease, reply->revoking.remaining_ms);
        break;
    case EVENT_CONTROL_PAGE:
        take_control_page(client, &reply->control_page, fd);
        break;
    case EVENT_SPARED:
        push_warning(client, MB_EVENT_SPARED, reply->spared_lease, 0);
        break;
    case EVENT_SHUTTING_DOWN:
        event_push(client, MB_EVENT_SHUTTING_DOWN, NULL, NULL);
        break;
    default:
        break; /* newer than this library */
    }
}

static void handle_packet(mb_client *client, size_t bytes, int *fd)
{
    const uint8_t *payload;
    size_t payload_bytes;
    struct reply reply;
    if (frame_open(client->packet, bytes, &payload, &payload_bytes) < 0 ||
        codec_decode_reply(payload, payload_bytes, client->receiving, &reply) < 0) {
        link_broke(client);
        return;
    }
    if (reply.kind == REPLY_ERROR && !reply.is_answer && client->state == LINK_GREETING) {
        reply.reply_to = client->hello_id; /* it was turned away before it was heard */
        answer_hello(client, &reply, -EBADF);
    } else if (reply.is_answer) {
        handle_answer(client, &reply, fd);
    } else {
        handle_event(client, &reply, *fd);
    }
}

bool receive_one(mb_client *client, bool wait)
{
    struct packet_descriptors descriptors = {.count = 0};
    int socket = client->socket;
    if (socket < 0 || (client->reading && !wait)) {
        return false;
    }
    client->reading = true;
    if (wait) {
        (void)pthread_mutex_unlock(&client->lock);
    }
    ssize_t received = transport_receive(socket, client->packet, sizeof client->packet, &descriptors, wait);
    if (wait) {
        (void)pthread_mutex_lock(&client->lock);
    }
    client->reading = false;
    if (client->orphan == socket) {
        client->orphan = fd_close(client->orphan);
    }
    if (received == -EAGAIN) {
        return false;
    }
    cleanup(fd_closep) int fd = received > 0 && descriptors.count ? descriptors.fd[0] : -EBADF;
    if (client->socket != socket) {
        return false; /* the link was replaced meanwhile */
    }
    if (received <= 0) {
        link_broke(client);
        return false;
    }
    handle_packet(client, (size_t)received, &fd);
    return true;
}
