/* SPDX-License-Identifier: Apache-2.0 */
/* Gives back what the library holds in reserve. */
#include "client/trim.h"

#include "client/client.h"
#include "client/layers.h"
#include "client/owner.h"
#include "proto/base/size.h"

void trim_ask(mb_client *client)
{
    client->trim.is_asked = true;
    atomic_fetch_add(&client->trim.asked_count, 1);
    wakeup_send(client);
}

/* Memory that is in use when the broker asks may be idle a second later, so the client looks again then. */
static enum trim_wish take_wish(mb_client *client, uint64_t now)
{
    struct trim *trim = &client->trim;
    (void)pthread_mutex_lock(&client->lock);
    bool is_due = trim->again_at && trim->again_at <= now;
    enum trim_wish wish = trim->is_asked ? TRIM_ASKED : is_due ? TRIM_AGAIN : TRIM_NONE;
    if (wish != TRIM_NONE) {
        trim->again_at = wish == TRIM_ASKED ? now + TRIM_IDLE_MS : 0;
    }
    trim->is_asked = false;
    (void)pthread_mutex_unlock(&client->lock);
    return wish;
}

static void tell_broker(mb_client *client, enum trim_wish wish)
{
    const struct request trimmed = {.kind = REQUEST_TRIMMED};
    (void)pthread_mutex_lock(&client->lock);
    releases_flush(client);
    if (wish == TRIM_ASKED && client->link.state == LINK_UP) {
        (void)link_send(client, &trimmed);
    }
    (void)pthread_mutex_unlock(&client->lock);
}

void trim_run(mb_client *client)
{
    uint64_t now = clock_milliseconds();
    enum trim_wish wish = take_wish(client, now);
    layers_maintain(client, now, wish);
    lease_cache_trim(client, now);
    if (wish != TRIM_NONE) {
        (void)lease_cache_empty(client);
        tell_broker(client, wish);
    }
}

uint64_t trim_due(const mb_client *client)
{
    uint64_t again_at = client->trim.again_at ? client->trim.again_at : UINT64_MAX;
    uint64_t due = size_min(layers_due(client), lease_cache_due(client));
    return client->trim.is_asked ? 0 : size_min(again_at, due);
}

void mb_trim(mb_client *client)
{
    if (owner_check(client) == 0) {
        (void)layers_trim(client);
        (void)lease_cache_empty(client); /* after the layers, whose leases it may keep */
    }
}
