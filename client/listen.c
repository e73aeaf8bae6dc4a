/* SPDX-License-Identifier: Apache-2.0 */
/* Who is called beside a client's own callbacks: listeners hear its events, reclaimers free memory. */
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

/* ---- reclaimers ---- */

int mb_client_add_reclaimer(mb_client *client, void (*on_reclaim)(const mb_reclaim *reclaim, void *user_data),
                            void *user_data, uint32_t max_retries, uint32_t retry_wait_ms, mb_reclaimer **ret_reclaimer)
{
    if (!on_reclaim) {
        return error_set(-EINVAL, "a reclaimer needs a function to call");
    }
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    mb_reclaimer *reclaimer = calloc(1, sizeof *reclaimer);
    if (!reclaimer) {
        return error_no_memory();
    }
    *reclaimer = (mb_reclaimer){.client = client,
                                .on_reclaim = on_reclaim,
                                .user_data = user_data,
                                .max_retries = max_retries,
                                .retry_wait_ms = retry_wait_ms};
    (void)pthread_mutex_lock(&client->lock);
    reclaimers_add(client, reclaimer);
    (void)pthread_mutex_unlock(&client->lock);
    *ret_reclaimer = reclaimer;
    return error_end(0);
}

void mb_reclaimer_end(mb_reclaimer *reclaimer)
{
    if (!reclaimer || !owner_is_here(reclaimer->client)) {
        return;
    }
    mb_client *client = reclaimer->client;
    (void)pthread_mutex_lock(&client->lock);
    reclaimers_end(client, reclaimer);
    (void)pthread_mutex_unlock(&client->lock);
}
