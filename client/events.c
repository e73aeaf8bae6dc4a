/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for the program. They are queued with the lock held and told without it, so that the callback may
 * look at leases; a queued event keeps its lease's memory alive.
 */
#include <stdlib.h>

#include "client/client.h"

void event_push(mb_client *client, mb_event_type type, mb_lease *lease, const mb_event *details)
{
    struct queued_event *queued = client->on_event ? malloc(sizeof *queued) : NULL;
    if (!queued) {
        return; /* nobody listens; or no memory to say so, and the next call on the lease says it */
    }
    queued->event = details ? *details : (mb_event){0};
    queued->event.type = type;
    queued->event.client = client;
    queued->event.lease = lease;
    if (lease) {
        lease->references++;
    }
    TAILQ_INSERT_TAIL(&client->events, queued, in_client);
    background_wake(client);
}

bool events_is_callback(const mb_client *client)
{
    return client->is_delivering && pthread_equal(client->deliverer, pthread_self());
}

void events_deliver(mb_client *client)
{
    struct queued_event *queued;
    (void)pthread_mutex_lock(&client->lock);
    if (client->is_delivering) {
        (void)pthread_mutex_unlock(&client->lock);
        return;
    }
    client->is_delivering = true;
    client->deliverer = pthread_self();
    while ((queued = TAILQ_FIRST(&client->events))) {
        TAILQ_REMOVE(&client->events, queued, in_client);
        (void)pthread_mutex_unlock(&client->lock);
        client->on_event(&queued->event, client->user_data);
        (void)pthread_mutex_lock(&client->lock);
        if (queued->event.lease) {
            lease_unreference(queued->event.lease);
        }
        free(queued);
    }
    client->is_delivering = false;
    (void)pthread_mutex_unlock(&client->lock);
}
