/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelling waits, whatever state the connection is in. The broker forgets what waits on a connection that breaks:
 * so an acquire that was cancelled ends with its connection. If it was granted unheard, the lease goes back when the
 * session is resumed. An extent of a lease that is in use could not go back alone: an extend is repeated and cancelled
 * then, and its answer says what became of it.
 */
#include <errno.h>
#include <stdio.h>

#include "client/client.h"

void cancels_send(mb_client *client)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls, in_client) {
        struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = call->id};
        if (call->owes_cancel && client->state == LINK_UP) {
            if (link_send(client, &cancel) < 0) {
                return; /* full: later. Broken: that was looked after */
            }
            call->owes_cancel = false;
        }
    }
}

bool cancels_are_owed(const mb_client *client)
{
    const struct call *call;
    bool any = false;
    TAILQ_FOREACH(call, &client->calls, in_client) {
        any = any || call->owes_cancel;
    }
    return any;
}

void cancels_end_unheard(mb_client *client)
{
    struct call *call = TAILQ_FIRST(&client->calls), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        if (call->is_cancelled && call->request->kind == REQUEST_ACQUIRE) {
            TAILQ_REMOVE(&client->calls, call, in_client);
            call->done = true;
            call->result = -ECANCELED;
            (void)snprintf(call->sentence, sizeof call->sentence, "the request was cancelled");
        }
    }
}

static void mark(struct call_list *calls)
{
    struct call *call;
    TAILQ_FOREACH(call, calls, in_client) {
        call->is_cancelled = call->is_cancelled || call->wait_until;
        call->owes_cancel = call->is_cancelled;
    }
}

void mb_cancel_waits(mb_client *client)
{
    if (owner_check(client) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    mark(&client->unsent);
    mark(&client->calls);
    cancels_send(client);
    if (client->state != LINK_UP) {
        cancels_end_unheard(client);
    }
    (void)pthread_cond_broadcast(&client->changed);
    background_wake(client); /* the socket may have been full */
    (void)pthread_mutex_unlock(&client->lock);
}
