/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: a request, and the wait for its answer. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/error.h"

enum { LINK_PAUSE_MS = 10, ROOM_SLICE_MS = 100 };

/* ---- waits ---- */

static uint32_t *wait_field(struct request *request)
{
    return request->kind == REQUEST_ACQUIRE ? &request->acquire.wait_ms : &request->extend.wait_ms;
}

/* What is left of the wait: its end does not move, whatever the request goes through. */
static void set_wait(const struct call *call)
{
    uint64_t now = clock_milliseconds();
    if (call->request && call->wait_until) {
        *wait_field(call->request) = call->wait_until > now ? (uint32_t)(call->wait_until - now) : 0;
    }
}

void call_repeat(mb_client *client, struct call *call)
{
    struct request *request = call->request;
    *(request->kind == REQUEST_ACQUIRE ? &request->acquire.repeats : &request->extend.repeats) = call->first_id;
    request->id = call->id = client->next_id++;
    set_wait(call);
    call->repeated_at = clock_milliseconds();
    call->owes_cancel = call->is_cancelled; /* to this connection */
}

/* ---- sending and receiving ---- */

/* Waits until the socket takes more, for a slice at most. The lock is given up meanwhile. */
static void wait_for_room(mb_client *client, uint64_t until)
{
    uint64_t now = clock_milliseconds();
    uint64_t left = until > now ? until - now : 0;
    struct pollfd writable = {.fd = client->socket, .events = POLLOUT};
    (void)pthread_mutex_unlock(&client->lock);
    (void)poll(&writable, 1, left < ROOM_SLICE_MS ? (int)left : ROOM_SLICE_MS);
    (void)pthread_mutex_lock(&client->lock);
}

void call_pause(mb_client *client)
{
    if (!client->has_thread) {
        link_tend(client);
        (void)receive_one(client, false);
    }
    if (client->state != LINK_UP) {
        struct timespec pause;
        (void)clock_gettime(CLOCK_MONOTONIC, &pause);
        pause.tv_nsec += LINK_PAUSE_MS * 1000000L;
        pause.tv_sec += pause.tv_nsec / 1000000000L;
        pause.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&client->changed, &client->lock, &pause);
    }
}

/* While the broker is being restarted a call waits for it. */
static bool wait_for_link(mb_client *client, uint64_t until)
{
    uint64_t now = clock_milliseconds();
    if (client->stopping || now >= until || link_is_hopeless(client, now)) {
        return false;
    }
    call_pause(client);
    return true;
}

/* What fails to be sent has not been sent: it is tried on the next connection. */
static int send_request(mb_client *client, struct request *request, struct call *call, uint64_t until)
{
    for (;;) {
        while (client->state != LINK_UP && !call->is_cancelled) {
            if (!wait_for_link(client, until)) {
                return -ENOTCONN;
            }
        }
        if (call->is_cancelled) {
            return -ECANCELED;
        }
        set_wait(call);
        link_flush_releases(client); /* what was released before is free before */
        request->id = call->id = call->first_id = client->next_id++;
        int result = link_send(client, request);
        if (result == 0 || (result != -EAGAIN && client->state == LINK_UP)) {
            return result;
        }
        if (clock_milliseconds() >= until) {
            return -ETIMEDOUT;
        }
        if (result == -EAGAIN) {
            wait_for_room(client, until);
        }
    }
}

/* Lets another thread read; comes back when something has changed. */
static void wait_for_reader(mb_client *client)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    (void)pthread_cond_timedwait(&client->changed, &client->lock, &until);
}

/* Without a thread nobody else renews, or tells the program what happens, while a call waits. */
static void tend_meanwhile(mb_client *client)
{
    link_tend(client);
    if (!client->stopping && (!TAILQ_EMPTY(&client->events) || client_due(client) <= clock_milliseconds())) {
        (void)pthread_mutex_unlock(&client->lock);
        events_deliver(client);
        trim_tend(client);
        (void)pthread_mutex_lock(&client->lock);
    }
}

static int wait_for_answer(mb_client *client, struct call *call, uint64_t until)
{
    while (!call->done) {
        if (clock_milliseconds() >= until) {
            TAILQ_REMOVE(&client->calls, call, in_client);
            return client->state == LINK_DOWN ? -ENOTCONN : -ETIMEDOUT;
        }
        if (!client->has_thread) {
            tend_meanwhile(client);
        }
        if (call->done) {
            break;
        }
        if (client->state == LINK_DOWN) {
            if (!wait_for_link(client, until) && !call->done) {
                TAILQ_REMOVE(&client->calls, call, in_client);
                return -ENOTCONN;
            }
        } else if (client->reading) {
            wait_for_reader(client);
        } else if (receive_one(client, true) && !client->reading) {
            (void)pthread_cond_broadcast(&client->changed); /* the reader's place is free */
        }
    }
    return call->result;
}

/* ---- errors ---- */

static int not_connected(const mb_client *client)
{
    return error_set(-ENOTCONN,
                     "there is no connection to the broker on %s: it is down, or the connection broke during the call. "
                     "The library goes on trying; call again, or start membrokerd",
                     client->address.sun_path);
}

static int timed_out(const struct call *call)
{
    uint64_t now = clock_milliseconds();
    if (call->repeated_at) {
        return error_set(
            -ETIMEDOUT,
            "the connection to the broker broke during the call and came back; asked again then, the broker "
            "did not answer within %llu ms, at the call's deadline",
            (unsigned long long)(now - call->repeated_at));
    }
    return error_set(-ETIMEDOUT, "the broker did not answer within %llu ms; it may be stopped: see `membrokerctl ping`",
                     (unsigned long long)(now - call->begun_at));
}

/* The broker knows only how long the request waited since it was asked again. */
static int answered(const struct call *call, int result)
{
    bool was_refused = result == -ENOMEM || result == -ENOSPC;
    if (call->repeated_at && call->wait_until && was_refused) {
        return error_set(
            result,
            "%s; the connection to the broker had broken during the call, and after %llu ms the request was "
            "repeated with what was left of its wait",
            call->sentence, (unsigned long long)(call->repeated_at - call->begun_at));
    }
    return error_set(result, "%s", call->sentence);
}

static int explain(const mb_client *client, const struct call *call, int result)
{
    if (result == 0) {
        return 0;
    }
    if (result == -ETIMEDOUT) {
        return timed_out(call);
    }
    if (call->done && call->sentence[0]) {
        return answered(call, result);
    }
    if (result == -EMSGSIZE) {
        return error_set(-EINVAL, "the request does not fit a message");
    }
    return result == -ECANCELED ? error_set(result, "the request was cancelled") : not_connected(client);
}

/* ---- calling ---- */

/* Returns until when the whole call may take. */
static uint64_t begin(const mb_client *client, struct request *request, struct call *call)
{
    bool is_repeatable = request && (request->kind == REQUEST_ACQUIRE || request->kind == REQUEST_EXTEND);
    uint64_t now = clock_milliseconds();
    call->begun_at = now;
    call->request = is_repeatable ? request : NULL;
    if (is_repeatable && !call->wait_until && *wait_field(request)) {
        call->wait_until = now + *wait_field(request);
    }
    return (call->wait_until > now ? call->wait_until : now) + client->timeout_ms;
}

static int send_in_list(mb_client *client, struct request *request, struct call *call, uint64_t until)
{
    TAILQ_INSERT_TAIL(&client->unsent, call, in_client);
    int result = send_request(client, request, call, until);
    TAILQ_REMOVE(&client->unsent, call, in_client);
    return result;
}

static int wait_in_list(mb_client *client, struct call *call, uint64_t until)
{
    bool first = TAILQ_EMPTY(&client->calls);
    TAILQ_INSERT_TAIL(&client->calls, call, in_client);
    if (first && client->has_thread) {
        link_watch(client, false); /* this thread reads; the background thread need not wake up for it */
    }
    int result = wait_for_answer(client, call, until);
    if (TAILQ_EMPTY(&client->calls) && client->has_thread) {
        link_watch(client, true);
    }
    if (result == -ETIMEDOUT) {
        (void)pthread_cond_broadcast(&client->changed);
    }
    return result;
}

int call_broker(mb_client *client, struct request *request, struct call *call)
{
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (events_is_callback(client)) {
        (void)pthread_mutex_unlock(&client->lock);
        return error_set(-EDEADLK, "an event callback must not call what waits for the broker; let it return first");
    }
    uint64_t until = begin(client, request, call);
    if (request) {
        result = send_in_list(client, request, call, until);
    }
    if (result == 0) {
        result = wait_in_list(client, call, until);
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (!client->has_thread && !client->stopping) {
        events_deliver(client);
    }
    return explain(client, call, result);
}
