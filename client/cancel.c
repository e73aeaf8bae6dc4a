/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelling waits, in any state of the connection. When a connection breaks the broker forgets what waits on it, so a
 * cancelled acquire ends with its connection. If its grant was lost with the connection, orphans.c gives the lease
 * back. An extent of a lease that is in use can't go back alone: a cancelled extend is repeated and cancelled again,
 * and its answer says whether it was granted.
 */
#include "client/cancel.h"

#include "client/client.h"
#include "client/owner.h"

void cancel_send(mb_client *client)
{
    struct call *call;
    TAILQ_FOREACH(call, &client->calls.sent, in_client) {
        const struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = call->id};
        if (call->owes_cancel && client->link.state == LINK_UP) {
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

void mb_cancel_waits(mb_client *client)
{
    if (owner_check(client) < 0) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    mark(&client->calls.unsent);
    mark(&client->calls.sent);
    cancel_send(client);
    if (client->link.state != LINK_UP) {
        calls_end_cancelled(client);
        calls_wake_now(client);
    }
    (void)pthread_cond_broadcast(&client->changed);
    wakeup_send(client); /* if the socket is full, the background thread sends the rest */
    (void)pthread_mutex_unlock(&client->lock);
}
