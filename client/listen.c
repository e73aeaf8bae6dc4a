/* SPDX-License-Identifier: Apache-2.0 */
/* Who hears a client's events beside its own callback. */
#include <errno.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"

static int listen_to(mb_client *client, mb_listener *listener)
{
    int result = owner_check(client);
    if (result == 0) {
        result = background_need(client);
    }
    if (result == 0) {
        (void)pthread_mutex_lock(&client->lock);
        events_add_listener(client, listener);
        (void)pthread_mutex_unlock(&client->lock);
    }
    return result;
}

int mb_client_listen(mb_client *client, void (*on_event)(const mb_event *event, void *user_data), void *user_data,
                     mb_listener **ret_listener)
{
    if (!on_event) {
        return error_set(-EINVAL, "a listener needs a function to call");
    }
    mb_listener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        return error_no_memory();
    }
    *listener = (mb_listener){.client = client, .on_event = on_event, .user_data = user_data};
    int result = listen_to(client, listener);
    if (result < 0) {
        free(listener);
        return result;
    }
    *ret_listener = listener;
    return error_end(0);
}

/* In a forked child the lists may be from the middle of a change. */
void mb_listener_end(mb_listener *listener)
{
    if (!listener || !owner_is_here(listener->client)) {
        return;
    }
    mb_client *client = listener->client;
    (void)pthread_mutex_lock(&client->lock);
    events_end_listener(client, listener);
    (void)pthread_mutex_unlock(&client->lock);
}
