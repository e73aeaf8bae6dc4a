/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for the program. They are queued with the client's lock held, and delivered without it, so that the callback
 * may look at leases. A queued event keeps its lease's record.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "membroker.h"

struct queued_event {
    mb_event event;
    TAILQ_ENTRY(queued_event) in_client;
    mb_range ranges[]; /* of the event */
};

TAILQ_HEAD(event_list, queued_event);

struct mb_listener {
    mb_client *client;
    void (*on_event)(const mb_event *event, void *user_data);
    void *user_data;
    bool is_ended; /* during its callback, after which it is freed */
    TAILQ_ENTRY(mb_listener) in_client;
};

TAILQ_HEAD(listener_list, mb_listener);

struct events {
    struct event_list queue;
    _Atomic uint32_t count; /* in the queue */
    bool is_delivering;     /* a thread is in the callback, or between two */
    pthread_t deliverer;
    struct listener_list listeners;
    const mb_listener *hearing; /* whose callback runs; NULL: none's */
};

void events_init(struct events *events);
void events_close(struct events *events);

/* Queues an event. `lease` and `details` may be NULL. The client's lock is held. */
void events_push(mb_client *client, mb_event_type type, mb_lease *lease, const mb_event *details);

/* Whether the program is to be told something. No lock is needed. */
bool events_are_queued(const mb_client *client);

/*
 * Calls the program with what is queued, without the lock. One thread at a time does so; another that calls this
 * meanwhile returns immediately.
 */
void events_deliver(mb_client *client);

/* Adds a listener, and ends one as mb_listener_end() does. The client's lock is held, and given up during a wait. */
void events_add_listener(mb_client *client, mb_listener *listener);
void events_end_listener(mb_client *client, mb_listener *listener);

/* Whether this thread is in a callback of the client. The client's lock is held. */
bool events_is_callback(const mb_client *client);
