/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps released leases. They are the same session's memory, but zeroed for the next request: mb_acquire() promises it.
 */
#include "client/lease_cache.h"

#include <string.h>

#include "client/client.h"
#include "client/location.h"
#include "client/mapping.h"
#include "client/owner.h"

bool lease_cache_keep(mb_lease *lease)
{
    mb_client *client = lease->client;
    const struct extent *extent = lease_extent(lease, 0);
    bool is_whole = lease->location == location_cached() && lease->extent_count == 1 && extent->address &&
                    !lease->huge_pages && lease->references == 1;
    if (!lease->is_plain || !is_whole || client->is_stopping ||
        extent->bytes > client->options.cache_bytes - client->cache.bytes) {
        return false;
    }
    lease->is_cached = true;
    lease->cached_at = clock_milliseconds();
    atomic_store_explicit(&lease->used_bytes, 0, memory_order_relaxed);
    if (client->cache.bytes == 0) {
        wakeup_send(client);
    }
    client->cache.bytes += extent->bytes;
    return true;
}

bool lease_cache_suits(const mb_lease_options *options)
{
    return location_may_be_cached(options->location) && options->ttl_ms == 0 &&
           (options->huge_pages == MB_HUGE_PAGES_DEFAULT || options->huge_pages == MB_HUGE_PAGES_NEVER) &&
           options->numa_node < 0 && !options->interleave && !options->file && !options->flags;
}

static mb_lease *find(mb_client *client, uint64_t bytes, const char *name)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        bool fits =
            lease->is_cached && lease_extent(lease, 0)->bytes >= bytes && lease_extent(lease, 0)->bytes - bytes < 4096;
        if (fits && strcmp(lease->name, name) == 0 && mb_lease_end_reason(lease) == MB_END_NONE) {
            return lease;
        }
    }
    return NULL;
}

static void uncache(mb_lease *lease)
{
    lease->is_cached = false;
    lease->client->cache.bytes -= lease_extent(lease, 0)->bytes;
}

mb_lease *lease_cache_take(mb_client *client, uint64_t bytes, const mb_lease_options *options)
{
    mb_lease *lease = NULL;
    if (!client->options.cache_bytes || !lease_cache_suits(options) || owner_check(client) < 0) {
        return NULL;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (client->cache.bytes && (lease = find(client, bytes, options->name ? options->name : ""))) {
        uncache(lease);
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (lease) {
        memset(lease_extent(lease, 0)->address, 0, lease_extent(lease, 0)->bytes);
    }
    return lease;
}

/* Unmaps without the lock, since that can take long. */
static void give_back(mb_client *client, mb_lease *lease)
{
    uncache(lease);
    lease->is_going = true;
    (void)pthread_mutex_unlock(&client->lock);
    mapping_remove(lease);
    (void)pthread_mutex_lock(&client->lock);
    releases_post(client, lease, mb_lease_end_reason(lease) != MB_END_NONE);
}

static mb_lease *find_older(mb_client *client, uint64_t before)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        if (lease->is_cached && lease->cached_at < before) {
            return lease;
        }
    }
    return NULL;
}

bool lease_cache_trim(mb_client *client, uint64_t before)
{
    mb_lease *lease;
    bool any = false;
    (void)pthread_mutex_lock(&client->lock);
    while (client->cache.bytes && (lease = find_older(client, before))) {
        give_back(client, lease);
        any = true;
    }
    (void)pthread_mutex_unlock(&client->lock);
    return any;
}

uint64_t lease_cache_due(const mb_client *client)
{
    const mb_lease *lease;
    uint64_t oldest = UINT64_MAX;
    if (client->cache.bytes == 0) {
        return UINT64_MAX;
    }
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        if (lease->is_cached && lease->cached_at < oldest) {
            oldest = lease->cached_at;
        }
    }
    return oldest == UINT64_MAX ? oldest : oldest + TRIM_IDLE_MS + 1;
}
