/* SPDX-License-Identifier: Apache-2.0 */
/* Asks for leases, and for extents of leases. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/client.h"
#include "client/error.h"
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

int mb_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease)
{
    static const mb_lease_options defaults = MB_LEASE_OPTIONS_INIT;
    struct request request = {.kind = REQUEST_ACQUIRE};
    if (options && options->size < sizeof *options) {
        return error_set(-EINVAL, "the options must begin as MB_LEASE_OPTIONS_INIT");
    }
    options = options ? options : &defaults;
    int result = fill_request(options, bytes, &request.acquire);
    if (result < 0) {
        return result;
    }
    if ((*ret_lease = lease_cache_take(client, bytes, options))) {
        return error_end(0);
    }
    cleanup(freep) mb_lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        return error_no_memory();
    }
    result = background_need(client); /* first, so that a lease is never without the thread that renews it */
    if (result < 0) {
        return result;
    }
    text_copy(lease->name, sizeof lease->name, request.acquire.name);
    lease->is_plain = lease_cache_suits(options);
    lease->keeps_descriptors = options->flags & MB_LEASE_KEEP_DESCRIPTOR;
    struct call call = {.lease = lease};
    result = call_broker(client, &request, &call);
    if (result == -ENOMEM && lease_cache_trim(client, UINT64_MAX)) {
        call = (struct call){.lease = lease, .wait_until = call.wait_until}; /* the same wait, not another */
        request.acquire.repeats = 0;
        result = call_broker(client, &request, &call);
    }
    if (result == 0 && lease->extent_count == 0) {
        result = error_set(-ENODATA, "the broker remembers no size for \"%s\" of this client", request.acquire.name);
    }
    if (result < 0) {
        return result;
    }
    *ret_lease = lease;
    lease = NULL;
    return error_end(0);
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
        result = call_broker(lease->client, &request, &call);
    }
    if (result == 0 && ret_extent) {
        *ret_extent = call.extent;
    }
    return error_end(result);
}
