/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trimming: what the library holds in reserve goes back after a while, and at once when the broker asks. The broker is
 * told when that is done, after the program's own callback was: whoever waits for it need not wait longer.
 */
#include "client/client.h"

/* Memory that is in use when the broker asks may be idle a second later, so the client looks again then. */
static enum trim_wish take_wish(mb_client *client, uint64_t now)
{
    (void)pthread_mutex_lock(&client->lock);
    bool is_due = client->trim_again_at && client->trim_again_at <= now;
    enum trim_wish wish = client->trim_asked ? TRIM_ASKED : is_due ? TRIM_AGAIN : TRIM_NONE;
    if (wish != TRIM_NONE) {
        client->trim_again_at = wish == TRIM_ASKED ? now + CLIENT_IDLE_MS : 0;
    }
    client->trim_asked = false;
    (void)pthread_mutex_unlock(&client->lock);
    return wish;
}

void trim_tend(mb_client *client)
{
    uint64_t now = clock_milliseconds();
    enum trim_wish wish = take_wish(client, now);
    layers_maintain(client, now, wish);
    (void)lease_cache_trim(client, wish == TRIM_NONE ? now - CLIENT_IDLE_MS : UINT64_MAX);
    if (wish == TRIM_NONE) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    link_flush_releases(client);
    if (wish == TRIM_ASKED && client->state == LINK_UP) {
        struct request trimmed = {.kind = REQUEST_TRIMMED};
        (void)link_send(client, &trimmed);
    }
    (void)pthread_mutex_unlock(&client->lock);
}

void mb_trim(mb_client *client)
{
    if (owner_check(client) == 0) {
        (void)layers_trim(client);
    }
}
