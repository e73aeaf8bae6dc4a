/* SPDX-License-Identifier: Apache-2.0 */
/* Asks for leases, and for extents of leases. */
#include "client/acquire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/client.h"
#include "client/error.h"
#include "client/location.h"
#include "client/owner.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/name.h"

static int fill_request(const mb_lease_options *options, uint64_t bytes, struct acquire_request *ret)
{
    const char *name = options->name ? options->name : "";
    if (!name_is_valid(name)) {
        return error_set(-EINVAL, "a lease's name must be UTF-8 of at most 63 bytes without control characters");
    }
    *ret = (struct acquire_request){
        .bytes = bytes,
        .location = (enum location)options->location,
        .ttl_ms = options->ttl_ms,
        .huge_pages =
            options->huge_pages == MB_HUGE_PAGES_DEFAULT ? HUGE_PAGES_NEVER : (enum huge_pages)options->huge_pages,
        .has_huge_pages = options->huge_pages != MB_HUGE_PAGES_DEFAULT,
        .interleave = options->interleave,
        .wait_ms = options->wait_ms,
        .learned = options->flags & MB_LEASE_LEARNED,
        .use_learned = options->flags & MB_LEASE_USE_LEARNED,
        .numa_node = options->numa_node,
        .prefault = options->prefault,
    };
    (void)stpncpy(ret->name, name, sizeof ret->name - 1);
    if (options->file) {
        if (!name_is_valid(options->file)) {
            return error_set(-EINVAL, "a file's name must be UTF-8 of at most 63 bytes without control characters");
        }
        (void)stpncpy(ret->file, options->file, sizeof ret->file - 1);
    }
    return 0;
}

static bool is_short(int result)
{
    return result == -ENOMEM || result == -ENOSPC || result == -EMFILE;
}

/* The request as it is while there is memory to give back: it neither waits nor takes a file for want of RAM. */
static struct request at_once(const struct request *request)
{
    struct request first = *request;
    *calls_wait_field(&first) = 0;
    if (first.kind == REQUEST_ACQUIRE && location_may_be_cached((mb_location)first.acquire.location)) {
        first.acquire.location = (enum location)location_cached();
    }
    return first;
}

/* Asks the broker. What the cache holds goes back before the request is refused or has to wait. */
static int ask(mb_client *client, struct request *request, struct call *call)
{
    bool holds = lease_cache_holds(client);
    struct request first = holds ? at_once(request) : *request;
    int result = call_broker(client, &first, call);
    if (is_short(result) && (lease_cache_empty(client) || holds)) {
        *call = (struct call){.lease = call->lease, .wait_until = holds ? 0 : call->wait_until}; /* one wait, not two */
        result = call_broker(client, request, call);
    }
    return result;
}

static mb_lease *lease_new(const mb_client *client, const struct acquire_request *request,
                           const mb_lease_options *options)
{
    mb_lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        (void)error_no_memory();
        return NULL;
    }
    text_copy(lease->name, sizeof lease->name, request->name);
    lease->is_publishable = request->publishable;
    lease->is_plain = !lease->is_publishable && lease_cache_suits(options, request->bytes);
    lease->is_learned = lease_cache_is_learned(options, request->bytes);
    lease->is_prefaulted = options->prefault;
    lease->may_have_old_content = options->flags & MB_LEASE_UNDEFINED_CONTENT;
    lease->is_sparse = options->flags & MB_LEASE_SPARSE;
    lease->lends_descriptors = options->flags & MB_LEASE_KEEP_DESCRIPTOR;
    lease->keeps_descriptors =
        lease->lends_descriptors ||
        (!lease->is_publishable && lease_cache_needs_descriptor(client, options, request->bytes));
    return lease;
}

static int acquire_new(mb_client *client, struct request *request, const mb_lease_options *options,
                       mb_lease **ret_lease)
{
    cleanup(freep) mb_lease *lease = lease_new(client, &request->acquire, options);
    if (!lease) {
        return -ENOMEM;
    }
    struct call call = {.lease = lease};
    int result = background_need(client); /* first, so that a lease is never without the thread that renews it */
    if (result == 0) {
        result = ask(client, request, &call);
    }
    if (result == 0 && lease->extent_count == 0) {
        result = error_set(-ENODATA, "the broker remembers no size for \"%s\" of this client", request->acquire.name);
    }
    if (result == 0) {
        *ret_lease = lease;
        lease = NULL;
    }
    return result;
}

int mb_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease)
{
    static const mb_lease_options defaults = MB_LEASE_OPTIONS_INIT;
    struct request request = {.kind = REQUEST_ACQUIRE};
    if (options && options->size < sizeof *options) {
        return error_set(-EINVAL, "the options must begin as MB_LEASE_OPTIONS_INIT");
    }
    options = options ? options : &defaults;
    int result = fill_request(options, bytes, &request.acquire);
    mb_lease *kept = result == 0 ? lease_cache_take(client, bytes, options) : NULL;
    if (kept) {
        *ret_lease = kept;
    } else if (result == 0) {
        result = acquire_new(client, &request, options, ret_lease);
    }
    return error_end(result);
}

int acquire_publishable(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    int result = fill_request(options, bytes, &request.acquire);
    request.acquire.publishable = true;
    return result < 0 ? result : acquire_new(client, &request, options, ret_lease);
}

int mb_extend(mb_lease *lease, uint64_t bytes, unsigned *ret_extent)
{
    return mb_extend_wait(lease, bytes, 0, ret_extent);
}

int mb_extend_wait(mb_lease *lease, uint64_t bytes, uint32_t wait_ms, unsigned *ret_extent)
{
    struct request request = {.kind = REQUEST_EXTEND,
                              .extend = {.lease = lease->id, .bytes = bytes, .wait_ms = wait_ms}};
    struct call call = {.lease = lease};
    int result = mb_lease_check(lease);
    if (result == 0 && lease->extent_count == EXTENTS_MAX) {
        result = error_set(-EMFILE, "a lease has at most %d extents; acquire another", EXTENTS_MAX);
    }
    if (result == 0) {
        result = owner_check(lease->client);
    }
    if (result == 0) {
        (void)pthread_mutex_lock(&lease->client->lock);
        result = lease_make_room(lease);
        (void)pthread_mutex_unlock(&lease->client->lock);
    }
    if (result == 0) {
        result = ask(lease->client, &request, &call);
    }
    if (result == 0 && ret_extent) {
        *ret_extent = call.extent;
    }
    return error_end(result);
}
