/* SPDX-License-Identifier: Apache-2.0 */
/* A call sends its request, reads the socket until the answer comes, and explains an error. */
#include "client/call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "client/cancel.h"
#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/upkeep.h"
#include "proto/base/size.h"

enum { PAUSE_MS = 10 };

/* ---- sending and receiving ---- */

/* Waits a moment until the socket takes more. The lock is given up meanwhile. */
static void wait_for_room(mb_client *client, uint64_t until)
{
    uint64_t left = size_subtract_floored(until, clock_milliseconds());
    struct pollfd writable = {.fd = client->link.socket, .events = POLLOUT};
    (void)pthread_mutex_unlock(&client->lock);
    (void)poll(&writable, 1, (int)size_min(left, LINK_SLICE_MS));
    (void)pthread_mutex_lock(&client->lock);
}

void call_pause(mb_client *client)
{
    if (!client->background.is_running) {
        upkeep_connection(client);
        receive_all(client);
    }
    if (client->link.state != LINK_UP) {
        struct timespec pause;
        (void)clock_gettime(CLOCK_MONOTONIC, &pause);
        pause.tv_nsec += PAUSE_MS * 1000000L;
        pause.tv_sec += pause.tv_nsec / 1000000000L;
        pause.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&client->changed, &client->lock, &pause);
    }
}

/* A call waits for a broker that is being restarted. False: it must fail. */
static bool wait_for_link(mb_client *client, uint64_t until)
{
    uint64_t now = clock_milliseconds();
    if (client->is_stopping || now >= until || link_is_hopeless(client, now)) {
        return false;
    }
    call_pause(client);
    return true;
}

/*
 * The last try to connect may have been before the broker was started again, and in a client without a thread nobody
 * else tries. So a call that would give up tries once itself.
 */
static void try_to_connect(mb_client *client)
{
    if (!client->is_stopping && link_is_hopeless(client, clock_milliseconds())) {
        client->link.retry_at = 0;
        upkeep_connection(client);
        wakeup_send(client); /* the thread is to read the new socket */
    }
}

/* A request that could not be sent is tried on the next connection. */
static int send_request(mb_client *client, struct request *request, struct call *call, uint64_t until)
{
    for (;;) {
        while (client->link.state != LINK_UP && !call->is_cancelled) {
            if (!wait_for_link(client, until)) {
                return -ENOTCONN;
            }
        }
        if (call->is_cancelled) {
            return -ECANCELED;
        }
        calls_set_wait(call);
        releases_flush(client); /* first, so that this request finds it free */
        request->id = call->id = call->first_id = link_next_id(client);
        int result = link_send(client, request);
        if (result == 0 || (result != -EAGAIN && client->link.state == LINK_UP)) {
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

/* Another thread reads. The lock is given up; if the answer came it is not taken again. Returns whether it came. */
static bool follow(mb_client *client, struct call *call, uint64_t until)
{
    waiter_prepare(&call->waiter);
    (void)pthread_mutex_unlock(&client->lock);
    bool is_done = waiter_sleep(&call->waiter, until);
    if (!is_done) {
        (void)pthread_mutex_lock(&client->lock);
    }
    return is_done;
}

/* Without a background thread, the waiting call renews and delivers events. Another one reads while the program runs.
 */
static void maintain_meanwhile(mb_client *client)
{
    upkeep_connection(client);
    if (!client->is_stopping && (events_are_queued(client) || upkeep_due(client) <= clock_milliseconds())) {
        calls_hand_over(client);
        calls_wake_now(client);
        (void)pthread_mutex_unlock(&client->lock);
        upkeep_program(client);
        (void)pthread_mutex_lock(&client->lock);
    }
}

/* Ends the wait, and gives the lock up. Another thread reads from here on. */
static void end_wait(mb_client *client, struct call *call)
{
    struct wakes wakes = {0};
    if (call->is_done) {
        calls_forget(client, call);
    } else {
        TAILQ_REMOVE(&client->calls.sent, call, in_client);
    }
    calls_hand_over(client);
    calls_wake(client, &wakes);
    if (TAILQ_EMPTY(&client->calls.sent)) {
        background_go_on(client);
    }
    (void)pthread_mutex_unlock(&client->lock);
    wakes_send(&wakes);
}

enum { GOES_ON = 1, CAME_UNLOCKED = 2 };

/*
 * One step of waiting. GOES_ON, or CAME_UNLOCKED: another thread read the answer, and this one does not have the lock;
 * or negative errno.
 */
static int wait_a_while(mb_client *client, struct call *call, uint64_t until)
{
    if (clock_milliseconds() >= until) {
        return client->link.state == LINK_DOWN ? -ENOTCONN : -ETIMEDOUT;
    }
    if (client->link.state == LINK_DOWN) {
        return wait_for_link(client, until) ? GOES_ON : -ENOTCONN;
    }
    if (client->link.is_reading) {
        return follow(client, call, until) ? CAME_UNLOCKED : GOES_ON;
    }
    receive_for(client, call);
    return GOES_ON;
}

/* The lock is given up before this returns. */
static int wait_for_answer(mb_client *client, struct call *call, uint64_t until)
{
    int result = GOES_ON;
    while (result == GOES_ON && !call->is_done) {
        if (!client->background.is_running) {
            maintain_meanwhile(client);
        }
        result = call->is_done ? GOES_ON : wait_a_while(client, call, until);
    }
    if (result != CAME_UNLOCKED) {
        result = call->is_done ? GOES_ON : result;
        end_wait(client, call);
    }
    return result < 0 ? result : call->result;
}

/* ---- errors ---- */

static int not_connected(const mb_client *client)
{
    return error_set(-ENOTCONN,
                     "there is no connection to the broker on %s: it is down, or the connection broke during the call. "
                     "The library keeps trying; call again, or start membrokerd",
                     client->link.address.sun_path);
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

/* The broker only knows how long the request waited since it was repeated. */
static int answered(const struct call *call, int result)
{
    bool was_refused = result == -ENOMEM || result == -ENOSPC;
    (void)error_set(result, "%s", call->sentence);
    error_add_figures(&call->refusal);
    error_add_end((mb_end_reason)call->ended);
    if (call->repeated_at && call->wait_until && was_refused) {
        error_continue("; the connection to the broker had broken during the call, and after %llu ms the request was "
                       "repeated with the remaining time",
                       (unsigned long long)(call->repeated_at - call->begun_at));
    }
    return result;
}

static int explain(const mb_client *client, const struct call *call, int result)
{
    if (result == 0) {
        return 0;
    }
    if (result == -ETIMEDOUT) {
        return timed_out(call);
    }
    if (call->is_done && call->sentence[0]) {
        return answered(call, result);
    }
    if (result == -EMSGSIZE) {
        return error_set(-EINVAL, "the request does not fit a message");
    }
    return result == -ECANCELED ? error_set(result, "the request was cancelled") : not_connected(client);
}

/* ---- calling ---- */

/* Returns when the call times out. */
static uint64_t begin(const mb_client *client, struct request *request, struct call *call)
{
    bool is_repeatable = request && calls_is_repeatable(request);
    const uint32_t *wait_ms = is_repeatable ? calls_wait_field(request) : NULL;
    uint64_t now = clock_milliseconds();
    call->begun_at = now;
    call->request = is_repeatable ? request : NULL;
    if (wait_ms && !call->wait_until && *wait_ms) {
        call->wait_until = now + *wait_ms;
    }
    return (call->wait_until > now ? call->wait_until : now) + client->options.timeout_ms;
}

static int send_in_list(mb_client *client, struct request *request, struct call *call, uint64_t until)
{
    TAILQ_INSERT_TAIL(&client->calls.unsent, call, in_client);
    try_to_connect(client);
    int result = send_request(client, request, call, until);
    TAILQ_REMOVE(&client->calls.unsent, call, in_client);
    return result;
}

/* Without the lock, before and after. */
static int send_and_wait(mb_client *client, struct request *request, struct call *call)
{
    int result = 0;
    (void)pthread_mutex_lock(&client->lock);
    uint64_t until = begin(client, request, call);
    client->calls.begun++;
    if (request) {
        result = send_in_list(client, request, call, until);
    }
    if (result == 0) {
        TAILQ_INSERT_TAIL(&client->calls.sent, call, in_client);
        return wait_for_answer(client, call, until);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return result;
}

static int check_caller(mb_client *client)
{
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    bool is_callback = events_is_callback(client);
    (void)pthread_mutex_unlock(&client->lock);
    return is_callback
               ? error_set(-EDEADLK,
                           "an event callback must not call a function that waits for the broker; return from it first")
               : 0;
}

int call_broker(mb_client *client, struct request *request, struct call *call)
{
    struct mb_wait wait = {.client = client, .call = call};
    int result = check_caller(client);
    if (result < 0) {
        return result;
    }
    const uint32_t *wait_ms = request ? calls_wait_field(request) : NULL;
    cancel_begin(&wait, wait_ms && *wait_ms > 0);
    result = send_and_wait(client, request, call);
    cancel_end(&wait);
    if (!client->background.is_running && !client->is_stopping && events_are_queued(client)) {
        events_deliver(client);
    }
    return explain(client, call, result);
}
