/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps released leases, finds one for a request, and gives them back after a while. */
#include "client/lease_cache.h"

#include <string.h>

#include "client/client.h"
#include "client/lease_clear.h"
#include "client/location.h"
#include "client/mapping.h"
#include "client/owner.h"
#include "proto/base/size.h"

enum { PAGE_BYTES = 4096, LOOK_AT_MOST = 64 };

/* How much is kept of leases whose content may be undefined, if cache_bytes is less. */
static const uint64_t kept_bytes_max = UINT64_C(64) << 20;

static uint64_t pages_of(uint64_t bytes)
{
    return bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
}

static struct kept_list *list_of(mb_client *client, uint64_t pages)
{
    _Static_assert(LEASE_CACHE_LISTS == 1 << 5, "the hash has five bits");
    return &client->cache.kept[(pages * UINT64_C(0x9E3779B97F4A7C15)) >> 59];
}

/* ---- keeping ---- */

static bool needs_clearing(const mb_lease_options *options)
{
    return !(options->flags & MB_LEASE_UNDEFINED_CONTENT);
}

static bool suits_with(const mb_lease_options *options, unsigned flags)
{
    return location_may_be_cached(options->location) && options->ttl_ms == 0 &&
           (options->huge_pages == MB_HUGE_PAGES_DEFAULT || options->huge_pages == MB_HUGE_PAGES_NEVER) &&
           options->numa_node < 0 && !options->interleave && !options->file && !(options->flags & ~flags);
}

/* With a size to fall back on, the broker's answer does not tell whether it is the learned one. */
bool lease_cache_is_learned(const mb_lease_options *options, uint64_t bytes)
{
    return options->flags & MB_LEASE_LEARNED || (options->flags & MB_LEASE_USE_LEARNED && bytes == 0);
}

bool lease_cache_suits(const mb_lease_options *options, uint64_t bytes)
{
    unsigned learned = lease_cache_is_learned(options, bytes) ? MB_LEASE_LEARNED | MB_LEASE_USE_LEARNED : 0;
    return suits_with(options, MB_LEASE_UNDEFINED_CONTENT | MB_LEASE_SPARSE | learned);
}

/* Not for a size that the broker has yet to be told. */
static bool may_be_served(const mb_client *client, const mb_lease_options *options)
{
    bool is_asked_for = !needs_clearing(options) || client->options.cache_bytes;
    return lease_cache_holds(client) && is_asked_for &&
           suits_with(options, MB_LEASE_UNDEFINED_CONTENT | MB_LEASE_SPARSE | MB_LEASE_USE_LEARNED) &&
           owner_check(client) == 0;
}

bool lease_cache_needs_descriptor(const mb_client *client, const mb_lease_options *options, uint64_t bytes)
{
    return client->options.cache_bytes >= bytes && lease_cache_suits(options, bytes) && needs_clearing(options) &&
           lease_clear_needs_descriptor(bytes);
}

/* How much may be kept, together with this one. In misuse mode released memory must not stay mapped. */
static uint64_t bytes_max(const mb_lease *lease)
{
    const struct client_options *options = &lease->client->options;
    bool is_more = lease->may_have_old_content && options->cache_bytes < kept_bytes_max;
    return options->flags & MB_CLIENT_CATCH_MISUSE ? 0 : is_more ? kept_bytes_max : options->cache_bytes;
}

static bool may_be_kept(const mb_lease *lease)
{
    const struct extent *extent = lease_extent(lease, 0);
    bool is_whole = lease->location == location_cached() && lease->extent_count == 1 && extent->address &&
                    !lease->huge_pages && lease->references == 1;
    uint64_t kept = atomic_load_explicit(&lease->client->cache.bytes, memory_order_relaxed);
    return lease->is_plain && is_whole && !lease->client->is_stopping &&
           extent->bytes <= size_subtract_floored(bytes_max(lease), kept);
}

/* Many releases need one look, so that a release seldom wakes the background thread. */
static void plan_look(mb_client *client, uint64_t at)
{
    client->cache.look_at = at;
    wakeup_send(client);
}

bool lease_cache_keep(mb_lease *lease)
{
    mb_client *client = lease->client;
    if (!may_be_kept(lease)) {
        return false;
    }
    lease->is_cached = true;
    lease->cached_at = clock_milliseconds();
    atomic_store_explicit(&lease->used_bytes, 0, memory_order_relaxed);
    LIST_INSERT_HEAD(list_of(client, pages_of(lease_extent(lease, 0)->bytes)), lease, in_cache);
    atomic_fetch_add_explicit(&client->cache.bytes, lease_extent(lease, 0)->bytes, memory_order_relaxed);
    if (!client->cache.look_at) {
        plan_look(client, lease->cached_at + TRIM_IDLE_MS + 1);
    }
    return true;
}

/* ---- finding ---- */

static bool fits(const mb_lease *lease, uint64_t pages, const mb_lease_options *options)
{
    bool is_of_size =
        options->flags & MB_LEASE_USE_LEARNED ? lease->is_learned : pages_of(lease_extent(lease, 0)->bytes) == pages;
    return is_of_size && strcmp(lease->name, options->name ? options->name : "") == 0 &&
           (lease->is_prefaulted || !options->prefault) && (!needs_clearing(options) || lease_clear_is_cheap(lease)) &&
           mb_lease_end_reason(lease) == MB_END_NONE;
}

static void uncache(mb_lease *lease)
{
    LIST_REMOVE(lease, in_cache);
    lease->is_cached = false;
    atomic_fetch_sub_explicit(&lease->client->cache.bytes, lease_extent(lease, 0)->bytes, memory_order_relaxed);
}

static mb_lease *find_in(const struct kept_list *list, uint64_t pages, const mb_lease_options *options)
{
    mb_lease *lease;
    unsigned looked_at = 0;
    LIST_FOREACH(lease, list, in_cache) {
        if (fits(lease, pages, options)) {
            return lease;
        }
        if (++looked_at == LOOK_AT_MOST) {
            break;
        }
    }
    return NULL;
}

/* The one whose size was learned last, which may be any. */
static mb_lease *find_learned(const mb_client *client, const mb_lease_options *options)
{
    mb_lease *newest = NULL;
    for (int i = 0; i < LEASE_CACHE_LISTS; i++) {
        mb_lease *lease = find_in(&client->cache.kept[i], 0, options);
        newest = !newest || (lease && lease->id > newest->id) ? lease : newest;
    }
    return newest;
}

static mb_lease *find(mb_client *client, uint64_t pages, const mb_lease_options *options)
{
    return options->flags & MB_LEASE_USE_LEARNED ? find_learned(client, options)
                                                 : find_in(list_of(client, pages), pages, options);
}

/* Makes a lease ready that was taken out. False: its memory can't be used. */
static bool prepare(mb_lease *lease, const mb_lease_options *options)
{
    if (lease->is_protected && !mapping_protect(lease, false)) {
        return false;
    }
    lease->is_learned = options->flags & MB_LEASE_USE_LEARNED;
    lease->has_old_content = lease->may_have_old_content = !needs_clearing(options);
    lease->is_sparse = options->flags & MB_LEASE_SPARSE; /* its next extents are the new request's */
    if (needs_clearing(options)) {
        lease_clear(lease);
    }
    return true;
}

/* Unmaps without the lock, since that can take long. The lock is held again afterwards. */
static void give_back(mb_client *client, mb_lease *lease)
{
    lease->is_going = true;
    (void)pthread_mutex_unlock(&client->lock);
    mapping_remove(lease);
    (void)pthread_mutex_lock(&client->lock);
    releases_post(client, lease, mb_lease_end_reason(lease) != MB_END_NONE);
}

mb_lease *lease_cache_take(mb_client *client, uint64_t bytes, const mb_lease_options *options)
{
    if (!may_be_served(client, options)) {
        return NULL;
    }
    (void)pthread_mutex_lock(&client->lock);
    mb_lease *lease = find(client, pages_of(bytes), options);
    if (lease) {
        uncache(lease);
        client->cache.was_used = true;
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (lease && !prepare(lease, options)) {
        (void)pthread_mutex_lock(&client->lock);
        give_back(client, lease);
        (void)pthread_mutex_unlock(&client->lock);
        return NULL;
    }
    return lease;
}

bool lease_cache_has(mb_client *client, uint64_t bytes, const mb_lease_options *options)
{
    if (!may_be_served(client, options)) {
        return false;
    }
    (void)pthread_mutex_lock(&client->lock);
    bool has = find(client, pages_of(bytes), options);
    (void)pthread_mutex_unlock(&client->lock);
    return has;
}

/* ---- giving back ---- */

bool lease_cache_holds(const mb_client *client)
{
    return atomic_load_explicit(&client->cache.bytes, memory_order_relaxed) > 0;
}

/* Takes out a lease that was kept before `before`, in ms. Sets `ret_oldest` to when the oldest was, if it takes none.
 */
static mb_lease *take_older(mb_client *client, uint64_t before, uint64_t *ret_oldest)
{
    *ret_oldest = UINT64_MAX;
    for (int i = 0; i < LEASE_CACHE_LISTS; i++) {
        mb_lease *lease;
        LIST_FOREACH(lease, &client->cache.kept[i], in_cache) {
            if (lease->cached_at < before) {
                uncache(lease);
                return lease;
            }
            *ret_oldest = size_min(*ret_oldest, lease->cached_at);
        }
    }
    return NULL;
}

/* Returns when the oldest of the rest was kept. */
static uint64_t give_back_older(mb_client *client, uint64_t before, bool *ret_any)
{
    mb_lease *lease;
    uint64_t oldest;
    while ((lease = take_older(client, before, &oldest))) {
        give_back(client, lease);
        *ret_any = true;
    }
    return oldest;
}

void lease_cache_trim(mb_client *client, uint64_t now)
{
    struct lease_cache *cache = &client->cache;
    bool any = false;
    (void)pthread_mutex_lock(&client->lock);
    if (cache->look_at && cache->look_at <= now) {
        uint64_t oldest = give_back_older(client, size_subtract_floored(now, TRIM_IDLE_MS), &any);
        bool is_in_use = cache->was_used && oldest == UINT64_MAX; /* the next release shall not have to wake anyone */
        cache->was_used = false;
        cache->look_at = is_in_use ? now + TRIM_IDLE_MS + 1 : oldest == UINT64_MAX ? 0 : oldest + TRIM_IDLE_MS + 1;
    }
    (void)pthread_mutex_unlock(&client->lock);
}

bool lease_cache_empty(mb_client *client)
{
    bool any = false;
    if (lease_cache_holds(client)) {
        (void)pthread_mutex_lock(&client->lock);
        (void)give_back_older(client, UINT64_MAX, &any);
        (void)pthread_mutex_unlock(&client->lock);
    }
    return any;
}

uint64_t lease_cache_due(const mb_client *client)
{
    return client->cache.look_at ? client->cache.look_at : UINT64_MAX;
}
