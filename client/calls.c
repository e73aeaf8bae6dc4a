/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a client, and how they end. */
#include "client/calls.h"

#include <errno.h>

#include "client/client.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

void calls_init(struct calls *calls)
{
    TAILQ_INIT(&calls->sent);
    TAILQ_INIT(&calls->done);
    TAILQ_INIT(&calls->unsent);
}

struct call *calls_find(const mb_client *client, uint64_t id)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        if (call->id == id) {
            return call;
        }
    }
    return NULL;
}

void calls_hand_over(mb_client *client)
{
    struct call *call;
    if (client->link.is_reading) {
        return;
    }
    TAILQ_FOREACH_REVERSE(call, &client->calls.sent, call_list, in_client)
    {
        if (waiter_call(&call->waiter)) {
            return;
        }
    }
}

/* ---- ending ---- */

void calls_finish(mb_client *client, struct call *call, int result, const char *sentence)
{
    TAILQ_REMOVE(&client->calls.sent, call, in_client);
    call->is_done = true;
    call->result = result;
    text_copy(call->sentence, sizeof call->sentence, sentence);
    TAILQ_INSERT_TAIL(&client->calls.done, call, in_client);
}

void calls_wake(mb_client *client, struct wakes *wakes)
{
    struct call *call;
    bool was_called = false;
    while ((call = TAILQ_FIRST(&client->calls.done))) {
        TAILQ_REMOVE(&client->calls.done, call, in_client);
        was_called |= waiter_finish(&call->waiter, wakes);
    }
    if (was_called) { /* to read, which it won't do now that it is done */
        calls_hand_over(client);
    }
}

void calls_forget(mb_client *client, struct call *call)
{
    if (!waiter_is_done(&call->waiter)) {
        TAILQ_REMOVE(&client->calls.done, call, in_client);
    }
}

void calls_wake_now(mb_client *client)
{
    struct wakes wakes = {0};
    calls_wake(client, &wakes);
    wakes_send(&wakes);
}

/* The state of the connection changed: every waiting thread looks at it. */
static void wake_all(mb_client *client)
{
    struct call *call;
    calls_wake_now(client);
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        (void)waiter_call(&call->waiter);
    }
    (void)pthread_cond_broadcast(&client->changed);
}

/* Fails the calls that `must_fail` picks. */
static void fail_some(mb_client *client, bool (*must_fail)(const mb_client *client, const struct call *call))
{
    struct call *call = TAILQ_FIRST(&client->calls.sent), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        if (must_fail(client, call)) {
            calls_finish(client, call, -ENOTCONN, "");
        }
    }
}

static bool any(const mb_client *client, const struct call *call)
{
    (void)client;
    (void)call;
    return true;
}

static bool makes_lease(const struct request *request)
{
    return request->kind == REQUEST_ACQUIRE || request->kind == REQUEST_ATTACH_BLOCK;
}

/* Objects are not the session's that reads them, and what is put is put in any. */
static bool is_about_object(const struct request *request)
{
    return request->kind == REQUEST_PUT || request->kind == REQUEST_GET;
}

static bool is_watch(const struct request *request)
{
    return request->kind == REQUEST_WATCH_BLOCKS;
}

/* Blocks are no session's either: they are watched and listed in any. */
static bool is_for_any_session(const struct request *request)
{
    return is_about_object(request) || is_watch(request) || request->kind == REQUEST_LIST;
}

/* Others are about a lease that is lost with the session. */
static bool is_in_session(const mb_client *client, const struct call *call)
{
    (void)client;
    return !call->request || !(makes_lease(call->request) || is_for_any_session(call->request));
}

static bool is_on_connection(const mb_client *client, const struct call *call)
{
    return !call->request || !client->session.id;
}

void calls_fail_all(mb_client *client)
{
    fail_some(client, any);
    wake_all(client);
}

void calls_fail_in_session(mb_client *client)
{
    fail_some(client, is_in_session);
    wake_all(client);
}

void calls_suspend(mb_client *client)
{
    fail_some(client, is_on_connection);
    calls_end_cancelled(client);
    wake_all(client);
}

void calls_end_cancelled(mb_client *client)
{
    struct call *call = TAILQ_FIRST(&client->calls.sent), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        if (call->is_cancelled && (makes_lease(call->request) || is_watch(call->request))) {
            calls_finish(client, call, -ECANCELED, "the request was cancelled");
        }
    }
}

/* ---- repeating ---- */

bool calls_is_repeatable(const struct request *request)
{
    return makes_lease(request) || request->kind == REQUEST_EXTEND || request->kind == REQUEST_PUBLISH ||
           is_for_any_session(request);
}

uint32_t *calls_wait_field(struct request *request)
{
    return request->kind == REQUEST_ACQUIRE        ? &request->acquire.wait_ms
           : request->kind == REQUEST_EXTEND       ? &request->extend.wait_ms
           : request->kind == REQUEST_ATTACH_BLOCK ? &request->attach_block.wait_ms
           : is_watch(request)                     ? &request->watch_blocks.wait_ms
                                                   : NULL;
}

void calls_set_wait(const struct call *call)
{
    uint32_t *wait_ms = call->request && call->wait_until ? calls_wait_field(call->request) : NULL;
    if (wait_ms) {
        *wait_ms = (uint32_t)size_subtract_floored(call->wait_until, clock_milliseconds());
    }
}

/* A view whose answer was lost is given back: see orphans.h. And publishing a block again changes nothing. */
static void name_first(struct request *request, uint64_t first_id)
{
    if (request->kind == REQUEST_ACQUIRE) {
        request->acquire.repeats = first_id;
    } else if (request->kind == REQUEST_EXTEND) {
        request->extend.repeats = first_id;
    }
}

void calls_make_repetition(struct call *call, uint64_t id)
{
    struct request *request = call->request;
    name_first(request, call->first_id);
    request->id = call->id = id;
    calls_set_wait(call);
    call->repeated_at = clock_milliseconds();
    call->owes_cancel = call->is_cancelled; /* the new connection has to hear it again */
}
