/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: a request, and the wait for its answer. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/error.h"

enum { LINK_PAUSE_MS = 10 };

static int timed_out(const mb_client *client)
{
    return error_set(-ETIMEDOUT, "the broker did not answer within %u ms; it may be stopped: see `membrokerctl ping`",
                     client->timeout_ms);
}

static int not_connected(const mb_client *client)
{
    return error_set(-ENOTCONN,
                     "there is no connection to the broker on %s: it is down, or the connection broke during the call. "
                     "The library goes on trying; call again, or start membrokerd",
                     client->address.sun_path);
}

/* Waits until the socket takes more. The lock is given up meanwhile. */
static void wait_for_room(mb_client *client, uint64_t until)
{
    uint64_t now = client_milliseconds();
    struct pollfd writable = {.fd = client->socket, .events = POLLOUT};
    (void)pthread_mutex_unlock(&client->lock);
    (void)poll(&writable, 1, until > now ? (int)(until - now) : 0);
    (void)pthread_mutex_lock(&client->lock);
}

/* While the broker is being restarted a call waits for it; the lock is given up meanwhile. */
static bool wait_for_link(mb_client *client, uint64_t until)
{
    uint64_t now = client_milliseconds();
    if (!client->session || client->stopping || now >= until || link_is_hopeless(client, now)) {
        return false;
    }
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
    return true;
}

/* What fails to be sent has not been sent: it is tried on the next connection. */
static int send_request(mb_client *client, struct request *request, struct call *call, uint64_t until)
{
    for (;;) {
        while (client->state != LINK_UP) {
            if (!wait_for_link(client, until)) {
                return -ENOTCONN;
            }
        }
        link_flush_releases(client); /* what was released before is free before */
        request->id = call->id = call->first_id = client->next_id++;
        int result = link_send(client, request);
        if (result == 0 || (result != -EAGAIN && client->state == LINK_UP)) {
            return result;
        }
        if (client_milliseconds() >= until) {
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

static int wait_for_answer(mb_client *client, struct call *call, uint64_t until)
{
    while (!call->done) {
        if (client_milliseconds() >= until) {
            TAILQ_REMOVE(&client->calls, call, in_client);
            return -ETIMEDOUT;
        }
        if (!client->has_thread) {
            link_tend(client); /* nobody else renews meanwhile */
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

static int explain(const mb_client *client, const struct call *call, int result)
{
    if (result == -ETIMEDOUT) {
        return timed_out(client);
    }
    if (result < 0 && call->done && call->sentence[0]) {
        return error_set(result, "%s", call->sentence);
    }
    if (result == -EMSGSIZE) {
        return error_set(-EINVAL, "the request does not fit a message");
    }
    return result < 0 ? not_connected(client) : 0;
}

/* What it may take in the broker's queue. */
static uint32_t wait_of(const struct request *request)
{
    if (!request) {
        return 0;
    }
    return request->kind == REQUEST_ACQUIRE  ? request->acquire.wait_ms
           : request->kind == REQUEST_EXTEND ? request->extend.wait_ms
                                             : 0;
}

void mb_cancel_waits(mb_client *client)
{
    struct call *call;
    if (client_check_process(client) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    TAILQ_FOREACH(call, &client->calls, in_client) {
        struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = call->id};
        if (wait_of(call->request) && client->state == LINK_UP) {
            (void)link_send(client, &cancel);
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
}

int call_broker(mb_client *client, struct request *request, struct call *call)
{
    int result = client_check_process(client);
    uint64_t until = client_milliseconds() + client->timeout_ms + wait_of(request);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (request && (request->kind == REQUEST_ACQUIRE || request->kind == REQUEST_EXTEND)) {
        call->request = request;
    }
    if (request) {
        result = send_request(client, request, call, until);
    }
    if (result == 0) {
        bool first = TAILQ_EMPTY(&client->calls);
        TAILQ_INSERT_TAIL(&client->calls, call, in_client);
        if (first && client->has_thread) {
            link_watch(client, false); /* this thread reads; the background thread need not wake up for it */
        }
        result = wait_for_answer(client, call, until);
        if (TAILQ_EMPTY(&client->calls) && client->has_thread) {
            link_watch(client, true);
        }
        if (result == -ETIMEDOUT) {
            (void)pthread_cond_broadcast(&client->changed);
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (!client->has_thread) {
        events_deliver(client);
    }
    return explain(client, call, result);
}
