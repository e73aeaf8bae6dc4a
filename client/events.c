/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of events, and the program's callback. */
#include "client/events.h"

#include <stdlib.h>

#include "client/client.h"

void events_init(struct events *events)
{
    TAILQ_INIT(&events->queue);
    TAILQ_INIT(&events->listeners);
}

static void free_listener(struct events *events, mb_listener *listener)
{
    TAILQ_REMOVE(&events->listeners, listener, in_client);
    free(listener);
}

static void free_event(struct queued_event *event)
{
    if (event->event.lease) {
        lease_unreference(event->event.lease);
    }
    free(event);
}

void events_close(struct events *events)
{
    struct queued_event *event;
    while ((event = TAILQ_FIRST(&events->queue))) {
        TAILQ_REMOVE(&events->queue, event, in_client);
        free_event(event);
    }
    for (mb_listener *listener = TAILQ_FIRST(&events->listeners), *next; listener; listener = next) {
        next = TAILQ_NEXT(listener, in_client);
        free(listener);
    }
}

static bool anybody_listens(const mb_client *client)
{
    return client->options.on_event || !TAILQ_EMPTY(&client->events.listeners);
}

/* Of the lease's mappings, as they are now. `lease` may be NULL. */
static size_t list_ranges(const mb_lease *lease, mb_range *ranges)
{
    size_t count = 0;
    for (unsigned i = 0; lease && i < lease->extent_count; i++) {
        const struct extent *extent = lease_extent(lease, i);
        if (extent->address) {
            ranges[count++] = (mb_range){extent->address, extent->bytes};
        }
    }
    return count;
}

/* An event that can't be queued is dropped: the next call on the lease tells the loss too. */
void events_push(mb_client *client, mb_event_type type, mb_lease *lease, const mb_event *details)
{
    size_t ranges = lease ? lease->extent_count * sizeof(mb_range) : 0;
    struct queued_event *queued = anybody_listens(client) ? malloc(sizeof *queued + ranges) : NULL;
    if (!queued) {
        return;
    }
    queued->event = details ? *details : (mb_event){0};
    queued->event.type = type;
    queued->event.client = client;
    queued->event.lease = lease;
    queued->event.range_count = list_ranges(lease, queued->ranges);
    queued->event.ranges = queued->ranges;
    if (lease) {
        lease->references++;
    }
    TAILQ_INSERT_TAIL(&client->events.queue, queued, in_client);
    atomic_fetch_add(&client->events.count, 1);
    wakeup_send(client);
}

bool events_are_queued(const mb_client *client)
{
    return atomic_load(&client->events.count) > 0;
}

bool events_is_callback(const mb_client *client)
{
    return client->events.is_delivering && pthread_equal(client->events.deliverer, pthread_self());
}

/* The lock is given up meanwhile. Returns the listener after this one. */
static mb_listener *tell(mb_client *client, mb_listener *listener, const mb_event *event)
{
    client->events.hearing = listener;
    (void)pthread_mutex_unlock(&client->lock);
    listener->on_event(event, listener->user_data);
    (void)pthread_mutex_lock(&client->lock);
    client->events.hearing = NULL;
    mb_listener *next = TAILQ_NEXT(listener, in_client);
    if (listener->is_ended) {
        free_listener(&client->events, listener);
        (void)pthread_cond_broadcast(&client->changed);
    }
    return next;
}

static void deliver(mb_client *client, const mb_event *event)
{
    if (client->options.on_event) {
        (void)pthread_mutex_unlock(&client->lock);
        client->options.on_event(event, client->options.user_data);
        (void)pthread_mutex_lock(&client->lock);
    }
    for (mb_listener *listener = TAILQ_FIRST(&client->events.listeners); listener;) {
        listener = tell(client, listener, event);
    }
}

static void deliver_all(mb_client *client)
{
    struct queued_event *queued;
    while ((queued = TAILQ_FIRST(&client->events.queue))) {
        TAILQ_REMOVE(&client->events.queue, queued, in_client);
        atomic_fetch_sub(&client->events.count, 1);
        deliver(client, &queued->event);
        free_event(queued);
    }
}

void events_deliver(mb_client *client)
{
    struct events *events = &client->events;
    (void)pthread_mutex_lock(&client->lock);
    if (!events->is_delivering) {
        events->is_delivering = true;
        events->deliverer = pthread_self();
        deliver_all(client);
        events->is_delivering = false;
    }
    (void)pthread_mutex_unlock(&client->lock);
}

void events_add_listener(mb_client *client, mb_listener *listener)
{
    TAILQ_INSERT_TAIL(&client->events.listeners, listener, in_client);
}

/* The thread that runs the callback frees the listener after it, since it goes on from there. */
void events_end_listener(mb_client *client, mb_listener *listener)
{
    if (client->events.hearing != listener) {
        free_listener(&client->events, listener);
        return;
    }
    listener->is_ended = true;
    while (client->events.hearing == listener && !events_is_callback(client)) {
        (void)pthread_cond_wait(&client->changed, &client->lock);
    }
}
