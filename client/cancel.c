/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelling waits, in any state of the connection. When a connection breaks the broker forgets what waits on it, so a
 * cancelled acquire ends with its connection. If its grant was lost with the connection, orphans.c gives the lease
 * back. An extent of a lease that is in use can't go back alone: a cancelled extend is repeated and cancelled again,
 * and its answer says whether it was granted.
 */
#include "client/cancel.h"

#include <errno.h>

#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/thread.h"

void cancel_send(mb_client *client)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        const struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = call->id};
        if (call->owes_cancel && !call->owes_request && client->link.state == LINK_UP) {
            if (link_send(client, &cancel) < 0) {
                return;
            }
            call->owes_cancel = false;
        }
    }
}

bool cancel_is_owed(const mb_client *client)
{
    const struct call *call;
    bool any = false;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        any = any || call->owes_cancel;
    }
    return any;
}

static void mark(struct call_list *calls)
{
    struct call *call;
    TAILQ_FOREACH(call, calls, in_client) {
        call->is_cancelled = call->is_cancelled || call->wait_until;
        call->owes_cancel = call->is_cancelled;
    }
}

static void end_marked(mb_client *client)
{
    cancel_send(client);
    if (client->link.state != LINK_UP) {
        calls_end_cancelled(client);
        calls_wake_now(client);
    }
    (void)pthread_cond_broadcast(&client->changed);
    wakeup_send(client); /* if the socket is full, the background thread sends the rest */
}

void mb_cancel_waits(mb_client *client)
{
    if (owner_check(client) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    mark(&client->calls.unsent);
    mark(&client->calls.sent);
    end_marked(client);
    (void)pthread_mutex_unlock(&client->lock);
}

/* ---- one wait ---- */

int mb_watch_waits(const mb_wait_watch *watch)
{
    struct thread *thread = thread_get();
    if (!thread) {
        return -ENOMEM;
    }
    thread->wait_watch = watch;
    return error_end(0);
}

void cancel_begin(struct mb_wait *wait, bool waits)
{
    wait->watch = waits && thread_self ? thread_self->wait_watch : NULL;
    wait->begun = wait->watch ? wait->watch->begun(wait, wait->watch->user_data) : NULL;
}

void cancel_end(const struct mb_wait *wait)
{
    if (wait->watch) {
        wait->watch->ended(wait->begun, wait->watch->user_data);
    }
}

/* The call may be about to be sent, or done. */
void mb_wait_cancel(mb_wait *wait)
{
    mb_client *client = wait->client;
    if (owner_check(client) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    wait->call->is_cancelled = wait->call->owes_cancel = true;
    end_marked(client);
    (void)pthread_mutex_unlock(&client->lock);
}
