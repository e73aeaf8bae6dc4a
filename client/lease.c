/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: asking for them, mapping them, noticing their loss, giving them back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"
#include "client/guard.h"
#include "client/received.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/name.h"

/* ---- bookkeeping; the lock is held ---- */

mb_lease *lease_find(mb_client *client, uint64_t id)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        if (lease->id == id) {
            return lease;
        }
    }
    return NULL;
}

void lease_take_grant(mb_client *client, mb_lease *lease, const struct grant_reply *grant, int fd)
{
    uint64_t now = clock_milliseconds();
    if (lease->extent_count == 0) {
        lease->client = client;
        lease->id = grant->lease;
        lease->location = (mb_location)grant->location;
        lease->ttl_ms = grant->ttl_ms;
        lease->huge_pages = grant->huge_pages;
        lease->charge = (mb_charge)grant->charge;
        lease->file_bytes = grant->file_bytes;
        lease->slot_index = grant->slot;
        atomic_store(&lease->slot, control_find(client, grant->slot));
        lease->generation = grant->generation;
        lease->references = 1;
        TAILQ_INSERT_TAIL(&client->leases, lease, in_client);
        if (now + lease->ttl_ms / 3 < client->renew_at) {
            client->renew_at = now + lease->ttl_ms / 3;
            background_wake(client);
        }
    }
    lease->extents[lease->extent_count++] =
        (struct extent){.bytes = grant->bytes, .fd = fd, .is_present = grant->is_present, .prefault = grant->prefault};
}

void lease_unreference(mb_lease *lease)
{
    if (--lease->references == 0) {
        free(lease);
    }
}

void lease_note_loss(mb_lease *lease, mb_end_reason reason)
{
    mb_event details = {.reason = reason};
    if (lease->loss_told) {
        return;
    }
    lease->loss_told = true;
    atomic_store(&lease->client->epoch, registry_new_number());
    atomic_store_explicit(&lease->lost, (uint32_t)reason, memory_order_release);
    if (lease->is_cached) {
        return; /* to the program it is gone already */
    }
    event_push(lease->client, MB_EVENT_LEASE_LOST, lease, &details);
}

/* While there is no broker, the control page that we have says nothing of what the next one ends. */
bool lease_note_fault(mb_lease *lease)
{
    if (lease->client->state == LINK_UP) {
        return false;
    }
    atomic_store_explicit(&lease->lost, MB_END_BROKER_GONE, memory_order_release);
    return true;
}

void leases_move_slots(mb_client *client, const struct control_mapping *mapping)
{
    mb_lease *lease;
    if (mapping->session != client->session) {
        return;
    }
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        if (lease->slot_index >= mapping->first_slot && lease->slot_index - mapping->first_slot < mapping->slots) {
            atomic_store(&lease->slot, &mapping->page->slot[lease->slot_index - mapping->first_slot]);
        }
    }
}

void leases_sweep(mb_client *client, mb_end_reason all_lost)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        mb_end_reason reason = mb_lease_end_reason(lease);
        if (reason == MB_END_NONE) {
            reason = all_lost;
        }
        if (reason != MB_END_NONE) {
            lease_note_loss(lease, reason);
        }
    }
}

void lease_unmap(mb_lease *lease)
{
    for (unsigned i = 0; i < lease->extent_count; i++) {
        struct extent *extent = &lease->extents[i];
        guard_remove(extent->guard);
        if (extent->address) {
            (void)munmap(extent->address, extent->bytes);
        }
        extent->address = NULL;
        extent->guard = NULL;
        extent->fd = fd_close(extent->fd);
    }
}

/* ---- looking ---- */

mb_end_reason mb_lease_end_reason(const mb_lease *lease)
{
    uint32_t lost = atomic_load_explicit(&lease->lost, memory_order_acquire);
    if (lost) {
        return (mb_end_reason)lost;
    }
    const struct control_slot *slot = atomic_load_explicit(&lease->slot, memory_order_acquire);
    if (atomic_load_explicit(&slot->generation, memory_order_acquire) == lease->generation) {
        return MB_END_NONE;
    }
    return (mb_end_reason)atomic_load_explicit(&slot->end_reason, memory_order_relaxed);
}

static int is_lost(uint64_t id, mb_end_reason reason)
{
    return error_set(-ESTALE, "lease %llu is lost: %s", (unsigned long long)id, mb_end_reason_text(reason));
}

int mb_lease_check(const mb_lease *lease)
{
    mb_end_reason reason = mb_lease_end_reason(lease);
    if (__builtin_expect(reason == MB_END_NONE, 1)) {
        return error_end(0);
    }
    return is_lost(lease->id, reason);
}

uint64_t mb_lease_id(const mb_lease *lease)
{
    return lease->id;
}

uint64_t mb_lease_bytes(const mb_lease *lease)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < lease->extent_count; i++) {
        bytes += lease->extents[i].bytes;
    }
    return bytes;
}

mb_location mb_lease_location(const mb_lease *lease)
{
    return lease->location;
}

unsigned mb_lease_extents(const mb_lease *lease)
{
    return lease->extent_count;
}

uint32_t mb_lease_ttl(const mb_lease *lease)
{
    return lease->ttl_ms;
}

uint64_t mb_lease_file_bytes(const mb_lease *lease)
{
    return lease->file_bytes;
}

int mb_lease_has_huge_pages(const mb_lease *lease)
{
    return lease->huge_pages;
}

mb_charge mb_lease_charge(const mb_lease *lease)
{
    return lease->charge;
}

void mb_lease_report_use(mb_lease *lease, uint64_t used_bytes)
{
    atomic_store_explicit(&lease->used_bytes, used_bytes, memory_order_relaxed);
    if (used_bytes && !atomic_load_explicit(&lease->is_use_known, memory_order_relaxed)) {
        link_report_use(lease);
    }
}

/* ---- asking ---- */

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
        return error_set(-ENOMEM, "out of memory for the library's own tables");
    }
    text_copy(lease->name, sizeof lease->name, request.acquire.name);
    lease->is_plain = lease_cache_suits(options);
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
        result = call_broker(lease->client, &request, &call);
    }
    if (result == 0 && ret_extent) {
        *ret_extent = call.extent;
    }
    return error_end(result);
}

/* ---- mapping ---- */

/* Every page, now and by this process, whose cgroup pays: an error here instead of a signal later. */
static int touch_all(const mb_lease *lease, void *address, uint64_t bytes)
{
    int result;
    do {
        result = madvise(address, bytes, MADV_POPULATE_WRITE);
    } while (result < 0 && errno == EINTR);
    if (result == 0 || errno == EINVAL) { /* a kernel before 5.14: pages come at the first touch */
        return 0;
    }
    return error_set(-ENOMEM,
                     "the pages of lease %llu (%llu bytes), which this process pays for, could not be had: %s; "
                     "release it and ask for less, or give the process's cgroup more memory",
                     (unsigned long long)lease->id, (unsigned long long)bytes, strerrordesc_np(errno));
}

/* A segment that is shorter because its lease has just ended is no fault of the broker's. */
static int check_received(const mb_lease *lease, const struct extent *extent)
{
    const char *fault = received_segment_fault(extent->fd, extent->bytes, lease->location == MB_LOCATION_MMAP);
    int result = fault ? mb_lease_check(lease) : 0;
    if (fault && result == 0) {
        result = error_set(-EPROTO, "lease %llu can't be mapped: %s (%llu bytes)", (unsigned long long)lease->id, fault,
                           (unsigned long long)extent->bytes);
    }
    return result;
}

static int map_extent(mb_lease *lease, struct extent *extent)
{
    int result = check_received(lease, extent);
    if (result < 0) {
        return result;
    }
    void *address = mmap(NULL, extent->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, extent->fd, 0);
    if (address == MAP_FAILED) {
        return error_set(-errno, "%llu bytes of lease %llu could not be mapped: %s", (unsigned long long)extent->bytes,
                         (unsigned long long)lease->id, strerrordesc_np(errno));
    }
    if (!(lease->client->flags & MB_CLIENT_SHARE_WITH_CHILDREN)) {
        (void)madvise(address, extent->bytes, MADV_DONTFORK);
    }
    extent->guard = guard_add(address, extent->bytes, lease);
    if ((lease->client->flags & MB_CLIENT_GUARD) && !extent->guard) {
        (void)munmap(address, extent->bytes);
        return error_set(-ENOMEM, "out of memory for the guard's table");
    }
    if (extent->is_present) { /* for reading: that maps many pages at a time, and shared memory is writable then too */
        (void)madvise(address, extent->bytes, MADV_POPULATE_READ);
    }
    result = extent->prefault ? touch_all(lease, address, extent->bytes) : 0;
    if (result < 0) {
        guard_remove(extent->guard);
        extent->guard = NULL;
        (void)munmap(address, extent->bytes);
        return result;
    }
    extent->address = address;
    extent->fd = fd_close(extent->fd);
    return 0;
}

int mb_map(mb_lease *lease, unsigned extent, void **ret_address, uint64_t *ret_bytes)
{
    int result = owner_check(lease->client);
    if (result == 0) {
        result = mb_lease_check(lease);
    }
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&lease->client->lock);
    if (extent >= lease->extent_count) {
        result = error_set(-ENOENT, "lease %llu has %u extent%s, and no number %u", (unsigned long long)lease->id,
                           lease->extent_count, text_plural(lease->extent_count), extent);
    } else if (!lease->extents[extent].address) {
        result = map_extent(lease, &lease->extents[extent]);
    }
    (void)pthread_mutex_unlock(&lease->client->lock);
    if (result == 0) {
        *ret_address = lease->extents[extent].address;
        if (ret_bytes) {
            *ret_bytes = lease->extents[extent].bytes;
        }
    }
    return error_end(result);
}

/* ---- giving back ---- */

void lease_post_release(mb_client *client, mb_lease *lease, bool was_lost)
{
    TAILQ_REMOVE(&client->leases, lease, in_client);
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease->id};
    bool told = was_lost;
    if (!told && client->state == LINK_UP && TAILQ_EMPTY(&client->releases)) {
        told = link_send(client, &request) == 0;
    }
    if (!told) {
        mb_lease *stub = calloc(1, sizeof *stub); /* resuming the session finds it as well, without */
        if (stub) {
            stub->id = lease->id;
            TAILQ_INSERT_TAIL(&client->releases, stub, in_client);
        }
        background_wake(client);
    }
    lease_unreference(lease);
}

static void release(mb_lease *lease)
{
    mb_client *client = lease->client;
    bool was_lost = mb_lease_end_reason(lease) != MB_END_NONE;
    (void)pthread_mutex_lock(&client->lock);
    bool is_kept = !was_lost && lease_cache_keep(lease);
    (void)pthread_mutex_unlock(&client->lock);
    if (is_kept) {
        return;
    }
    lease_unmap(lease);
    (void)pthread_mutex_lock(&client->lock);
    lease_post_release(client, lease, was_lost);
    (void)pthread_mutex_unlock(&client->lock);
}

void lease_drop(mb_lease *lease)
{
    if (lease && lease->client->owner == getpid()) {
        release(lease);
    }
}

int mb_release(mb_lease *lease)
{
    int result = lease ? owner_check(lease->client) : 0;
    if (!lease || result < 0) {
        return result;
    }
    mb_end_reason reason = mb_lease_end_reason(lease);
    uint64_t id = lease->id;
    release(lease);
    return reason == MB_END_NONE ? 0 : is_lost(id, reason);
}
