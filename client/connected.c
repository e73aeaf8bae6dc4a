/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the connection, for programs that go on after a loss. */
#include <errno.h>

#include "client/call.h"
#include "client/cancel.h"
#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/upkeep.h"

/* Packets that have arrived may say that the connection is broken. */
static void catch_up(mb_client *client)
{
    if (!client->background.is_running) {
        upkeep_connection(client);
        receive_all(client);
    }
}

static int wait_until(mb_client *client, const struct call *call, uint64_t until)
{
    if (events_is_callback(client)) {
        return error_set(-EDEADLK, "an event callback must not wait for the connection; let it return first");
    }
    catch_up(client);
    while (client->link.state != LINK_UP && !client->is_stopping && !call->is_cancelled &&
           clock_milliseconds() < until) {
        call_pause(client);
    }
    if (client->link.state != LINK_UP && call->is_cancelled) {
        return error_set(-ECANCELED, "the wait for a connection was cancelled");
    }
    return client->link.state == LINK_UP ? 0 : -ETIMEDOUT;
}

int mb_wait_connected(mb_client *client, uint32_t timeout_ms)
{
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    struct call call = {0};
    struct mb_wait wait = {.client = client, .call = &call};
    cancel_begin(&wait, timeout_ms > 0);
    (void)pthread_mutex_lock(&client->lock);
    result = wait_until(client, &call, clock_milliseconds() + timeout_ms);
    (void)pthread_mutex_unlock(&client->lock);
    cancel_end(&wait);
    if (!client->background.is_running && result != -EDEADLK) {
        events_deliver(client);
    }
    return result != -ETIMEDOUT
               ? error_end(result)
               : error_set(result,
                           "there was no connection to the broker on %s within %u ms; start membrokerd, or wait longer",
                           client->link.address.sun_path, timeout_ms);
}
