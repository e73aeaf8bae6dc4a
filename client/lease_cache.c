/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases that the program released and that are kept for its next: the same session's memory, so that its bytes are
 * nobody else's, but zeroed all the same, since mb_acquire() promises zero. Only plain leases of RAM are kept, and
 * only while all of them together stay within cache_bytes.
 */
#include <string.h>

#include "client/client.h"

enum { IDLE_MS = 1000 };

bool lease_cache_keep(mb_lease *lease)
{
    mb_client *client = lease->client;
    const struct extent *extent = &lease->extents[0];
    bool is_whole = lease->location == MB_LOCATION_RAM && lease->extent_count == 1 && extent->address &&
                    !lease->huge_pages && lease->references == 1;
    if (!lease->is_plain || !is_whole || client->stopping ||
        extent->bytes > client->cache_bytes - client->cached_bytes) {
        return false;
    }
    lease->is_cached = true;
    lease->cached_at = clock_milliseconds();
    atomic_store_explicit(&lease->used_bytes, 0, memory_order_relaxed);
    if (client->cached_bytes == 0) {
        background_wake(client);
    }
    client->cached_bytes += extent->bytes;
    return true;
}

bool lease_cache_suits(const mb_lease_options *options)
{
    return (options->location == MB_LOCATION_RAM || options->location == MB_LOCATION_AUTO) && options->ttl_ms == 0 &&
           (options->huge_pages == MB_HUGE_PAGES_DEFAULT || options->huge_pages == MB_HUGE_PAGES_NEVER) &&
           options->numa_node < 0 && !options->interleave && !options->file && !options->flags;
}

static mb_lease *find(mb_client *client, uint64_t bytes, const char *name)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        bool fits = lease->is_cached && lease->extents[0].bytes >= bytes && lease->extents[0].bytes - bytes < 4096;
        if (fits && strcmp(lease->name, name) == 0 && mb_lease_end_reason(lease) == MB_END_NONE) {
            return lease;
        }
    }
    return NULL;
}

static void uncache(mb_lease *lease)
{
    lease->is_cached = false;
    lease->client->cached_bytes -= lease->extents[0].bytes;
}

mb_lease *lease_cache_take(mb_client *client, uint64_t bytes, const mb_lease_options *options)
{
    mb_lease *lease = NULL;
    if (!client->cache_bytes || !lease_cache_suits(options) || owner_check(client) < 0) {
        return NULL;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (client->cached_bytes && (lease = find(client, bytes, options->name ? options->name : ""))) {
        uncache(lease);
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (lease) {
        memset(lease->extents[0].address, 0, lease->extents[0].bytes);
    }
    return lease;
}

/* Takes the mapping away without the lock: that can take its time. */
static void give_back(mb_client *client, mb_lease *lease)
{
    uncache(lease);
    (void)pthread_mutex_unlock(&client->lock);
    lease_unmap(lease);
    (void)pthread_mutex_lock(&client->lock);
    lease_post_release(client, lease, mb_lease_end_reason(lease) != MB_END_NONE);
}

static mb_lease *find_older(mb_client *client, uint64_t before)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
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
    while (client->cached_bytes && (lease = find_older(client, before))) {
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
    if (client->cached_bytes == 0) {
        return UINT64_MAX;
    }
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        if (lease->is_cached && lease->cached_at < oldest) {
            oldest = lease->cached_at;
        }
    }
    return oldest == UINT64_MAX ? oldest : oldest + IDLE_MS + 1;
}
