/* SPDX-License-Identifier: Apache-2.0 */
/* Asks all users of a client to free memory. */
#include "client/reclaimers.h"

#include <stdlib.h>

#include "client/client.h"

void reclaimers_init(struct reclaimers *reclaimers)
{
    TAILQ_INIT(reclaimers);
}

void reclaimers_close(struct reclaimers *reclaimers)
{
    for (mb_reclaimer *reclaimer = TAILQ_FIRST(reclaimers), *next; reclaimer; reclaimer = next) {
        next = TAILQ_NEXT(reclaimer, in_client);
        free(reclaimer);
    }
}

void reclaimers_add(mb_client *client, mb_reclaimer *reclaimer)
{
    TAILQ_INSERT_TAIL(&client->reclaimers, reclaimer, in_client);
}

static void remove_reclaimer(mb_client *client, mb_reclaimer *reclaimer)
{
    TAILQ_REMOVE(&client->reclaimers, reclaimer, in_client);
    free(reclaimer);
}

/* A callback can't wait for itself. Then the last thread that leaves the callback frees the reclaimer. */
void reclaimers_end(mb_client *client, mb_reclaimer *reclaimer)
{
    bool is_callback = thread_self && thread_self->reclaiming > 0;
    reclaimer->is_ended = true;
    reclaimer->is_awaited = !is_callback;
    while (reclaimer->running > 0 && !is_callback) {
        (void)pthread_cond_wait(&client->changed, &client->lock);
    }
    if (reclaimer->running == 0) {
        remove_reclaimer(client, reclaimer);
    }
}

unsigned reclaimers_attempts(mb_client *client)
{
    const mb_reclaimer *reclaimer;
    unsigned most = client->options.on_reclaim ? client->options.max_retries : 0;
    (void)pthread_mutex_lock(&client->lock);
    TAILQ_FOREACH(reclaimer, &client->reclaimers, in_client) {
        most = reclaimer->max_retries > most ? reclaimer->max_retries : most;
    }
    (void)pthread_mutex_unlock(&client->lock);
    return most;
}

/* The lock is given up meanwhile. Returns the reclaimer after this one. */
static mb_reclaimer *ask(mb_client *client, mb_reclaimer *reclaimer, const mb_reclaim *reclaim)
{
    if (!reclaimer->is_ended && reclaim->attempt <= reclaimer->max_retries) {
        reclaimer->running++;
        (void)pthread_mutex_unlock(&client->lock);
        reclaimer->on_reclaim(reclaim, reclaimer->user_data);
        (void)pthread_mutex_lock(&client->lock);
        reclaimer->running--;
    }
    mb_reclaimer *next = TAILQ_NEXT(reclaimer, in_client);
    if (reclaimer->is_ended && reclaimer->running == 0) {
        if (reclaimer->is_awaited) {
            (void)pthread_cond_broadcast(&client->changed);
        } else {
            remove_reclaimer(client, reclaimer);
        }
    }
    return next;
}

static uint32_t ask_added(mb_client *client, const mb_reclaim *reclaim)
{
    uint32_t wait = 0;
    (void)pthread_mutex_lock(&client->lock);
    for (mb_reclaimer *reclaimer = TAILQ_FIRST(&client->reclaimers); reclaimer;) {
        if (reclaim->attempt <= reclaimer->max_retries && reclaimer->retry_wait_ms > wait) {
            wait = reclaimer->retry_wait_ms;
        }
        reclaimer = ask(client, reclaimer, reclaim);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return wait;
}

uint32_t reclaimers_ask(mb_client *client, const mb_reclaim *reclaim)
{
    const struct client_options *options = &client->options;
    uint32_t wait = 0;
    if (options->on_reclaim && reclaim->attempt <= options->max_retries) {
        options->on_reclaim(reclaim, options->user_data);
        wait = options->retry_wait_ms;
    }
    uint32_t added = ask_added(client, reclaim);
    return added > wait ? added : wait;
}
