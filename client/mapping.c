/* SPDX-License-Identifier: Apache-2.0 */
/* Maps the segments of leases. */
#include "client/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "client/client.h"
#include "client/error.h"
#include "client/guard.h"
#include "client/location.h"
#include "client/owner.h"
#include "client/received.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"

static void unmap(struct extent *extent, void *address)
{
    guard_begin();
    guard_remove(extent->guard);
    (void)munmap(address, extent->bytes);
    guard_end();
    extent->guard = NULL;
}

/*
 * The range is the program's in any case: if zero pages can't be had, touching it is a signal. They come before the
 * entry is removed, so that at no moment an access to a lost lease finds neither.
 */
static void leave_zeros(struct extent *extent)
{
    enum { FLAGS = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
    guard_begin();
    if (mmap(extent->address, extent->bytes, PROT_READ | PROT_WRITE, FLAGS, -1, 0) == MAP_FAILED) {
        (void)mmap(extent->address, extent->bytes, PROT_NONE, FLAGS, -1, 0);
    }
    guard_leave(extent->guard);
    guard_end();
    extent->guard = NULL;
}

void mapping_remove(mb_lease *lease)
{
    for (unsigned i = 0; i < lease->extent_count; i++) {
        struct extent *extent = lease_extent(lease, i);
        if (extent->address && lease->leaves_zeros) {
            leave_zeros(extent);
        } else if (extent->address) {
            unmap(extent, extent->address);
        }
        extent->address = NULL;
        extent->fd = fd_close(extent->fd);
        extent->readable = fd_close(extent->readable);
    }
}

bool mapping_may_lose_pages(const mb_lease *lease)
{
    return lease->location == MB_LOCATION_RAM && !lease->huge_pages && !lease_extent(lease, 0)->prefault;
}

bool mapping_protect(mb_lease *lease, bool is_protected)
{
    bool done = true;
    for (unsigned i = 0; i < lease->extent_count && done; i++) {
        const struct extent *extent = lease_extent(lease, i);
        int protection = is_protected ? PROT_NONE : PROT_READ | PROT_WRITE;
        done = !extent->address || mprotect(extent->address, extent->bytes, protection) == 0;
    }
    lease->is_protected = is_protected;
    return done;
}

/* This process makes every page now, and its cgroup pays: an error here instead of a signal later. */
static int make_pages(const mb_lease *lease, void *address, uint64_t bytes)
{
    int result;
    do {
        result = madvise(address, bytes, MADV_POPULATE_WRITE);
    } while (result < 0 && errno == EINTR);
    if (result == 0 || errno == EINVAL) { /* before Linux 5.14, pages are made by the first access */
        return 0;
    }
    return error_set(-ENOMEM,
                     "the pages of lease %llu (%llu bytes), which this process pays for, could not be had: %s; "
                     "release it and ask for less, or give the process's cgroup more memory",
                     (unsigned long long)lease->id, (unsigned long long)bytes, strerrordesc_np(errno));
}

/* A broker seals all its segments of RAM or none, so the first of a session tells. */
static const char *check_seals(const mb_lease *lease, const struct extent *extent)
{
    if (lease->is_read_only) {
        return location_is_file(lease->location) ? received_file_block_fault(extent->fd)
                                                 : received_block_fault(extent->fd);
    }
    bool *is_sealing = &lease->client->session.is_sealing;
    const char *fault = NULL;
    if (!*is_sealing && !location_is_file(lease->location)) {
        fault = received_seals_fault(extent->fd);
        *is_sealing = !fault;
    }
    return fault;
}

/* The broker truncates the segment of a lease that has just ended: that is a loss, and no fault of the broker. */
static int check_received(const mb_lease *lease, const struct extent *extent)
{
    const char *fault = received_segment_fault(extent->fd, extent->bytes);
    fault = fault ? fault : check_seals(lease, extent);
    int result = fault ? mb_lease_check(lease) : 0;
    if (fault && result == 0) {
        result = error_set(-EPROTO, "lease %llu can't be mapped: %s (%llu bytes)", (unsigned long long)lease->id, fault,
                           (unsigned long long)extent->bytes);
    }
    return result;
}

/* Of the extent only the guard's entry changes. */
static int map_and_note(mb_lease *lease, struct extent *extent, int descriptor, int protection, void **ret_address)
{
    guard_begin();
    void *address = mmap(NULL, extent->bytes, protection, MAP_SHARED, descriptor, 0);
    int error = errno;
    extent->guard = address == MAP_FAILED ? NULL : guard_add(address, extent->bytes, lease);
    guard_end();
    if (address == MAP_FAILED) {
        return error_set(-error, "%llu bytes of lease %llu could not be mapped: %s", (unsigned long long)extent->bytes,
                         (unsigned long long)lease->id, strerrordesc_np(error));
    }
    if ((lease->client->options.flags & MB_CLIENT_GUARD) && !extent->guard) {
        unmap(extent, address);
        return error_set(-ENOMEM, "out of memory for the guard's table");
    }
    *ret_address = address;
    return 0;
}

static int map_extent(mb_lease *lease, struct extent *extent)
{
    void *address = NULL;
    int protection = lease->is_read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    int result = check_received(lease, extent);
    if (result == 0) {
        result = map_and_note(lease, extent, extent->fd, protection, &address);
    }
    if (result < 0) {
        return result;
    }
    /* for reading: that maps many pages at a time, and makes shared memory writable too */
    if (extent->is_present && !lease->is_sparse) {
        (void)madvise(address, extent->bytes, MADV_POPULATE_READ);
    }
    result = extent->prefault ? make_pages(lease, address, extent->bytes) : 0;
    if (result < 0) {
        unmap(extent, address);
        return result;
    }
    extent->address = address;
    if (!lease->keeps_descriptors) {
        extent->fd = fd_close(extent->fd);
    }
    return 0;
}

/* Of a mapping that was made through a writable descriptor the kernel assumes that it may become writable. */
static int map_readable(mb_lease *lease, struct extent *extent)
{
    guard_begin();
    void *address = mmap(extent->address, extent->bytes, PROT_READ, MAP_SHARED | MAP_FIXED, extent->readable, 0);
    int error = address == MAP_FAILED ? errno : 0;
    if (!error) {
        lease->is_read_only = true;
        guard_note_replaced(extent->guard, address, extent->bytes, lease);
    }
    guard_end();
    return error ? error_set(-error, "the %llu bytes of lease %llu could not be mapped for reading alone: %s",
                             (unsigned long long)extent->bytes, (unsigned long long)lease->id, strerrordesc_np(error))
                 : 0;
}

/* If the lease is lost meanwhile, the guard's zeros can be written to at the old address as well. */
static int move_readable(mb_lease *lease, struct extent *extent)
{
    struct extent moved = *extent;
    int result = map_and_note(lease, &moved, extent->readable, PROT_READ, &moved.address);
    if (result < 0) {
        return result;
    }
    leave_zeros(extent);
    lease->is_read_only = true;
    (void)pthread_mutex_lock(&lease->client->lock);
    extent->address = moved.address;
    extent->guard = moved.guard;
    (void)pthread_mutex_unlock(&lease->client->lock);
    return 0;
}

int mapping_end_writing(mb_lease *lease, bool to_zeros)
{
    struct extent *extent = lease_extent(lease, 0);
    int result = 0;
    if (!lease->is_read_only) {
        result = to_zeros ? move_readable(lease, extent) : map_readable(lease, extent);
    }
    if (result < 0) {
        return result;
    }
    extent->fd = fd_close(extent->fd);
    extent->readable = fd_close(extent->readable);
    return 0;
}

/* The client's lock is held. */
static int check_extent(const mb_lease *lease, unsigned extent)
{
    return extent < lease->extent_count
               ? 0
               : error_set(-ENOENT, "lease %llu has %u extent%s, and no number %u", (unsigned long long)lease->id,
                           lease->extent_count, text_plural(lease->extent_count), extent);
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
    result = check_extent(lease, extent);
    if (result == 0 && !lease_extent(lease, extent)->address) {
        result = map_extent(lease, lease_extent(lease, extent));
    }
    (void)pthread_mutex_unlock(&lease->client->lock);
    if (result == 0) {
        *ret_address = lease_extent(lease, extent)->address;
        if (ret_bytes) {
            *ret_bytes = lease_extent(lease, extent)->bytes;
        }
    }
    return error_end(result);
}

/* The client's lock is held. */
static int duplicate(const mb_lease *lease, unsigned extent, int *ret_descriptor)
{
    int result = check_extent(lease, extent);
    if (result == 0) {
        result = check_received(lease, lease_extent(lease, extent));
    }
    if (result < 0) {
        return result;
    }
    int descriptor = fcntl(lease_extent(lease, extent)->fd, F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0) {
        return error_set(-errno, "the descriptor of lease %llu could not be duplicated: %s",
                         (unsigned long long)lease->id, strerrordesc_np(errno));
    }
    *ret_descriptor = descriptor;
    return 0;
}

int mb_lease_descriptor(const mb_lease *lease, unsigned extent, int *ret_descriptor)
{
    int result = owner_check(lease->client);
    if (result == 0 && !lease->lends_descriptors) {
        result =
            error_set(-EBADF, "the library has no descriptor of lease %llu; acquire it with MB_LEASE_KEEP_DESCRIPTOR",
                      (unsigned long long)lease->id);
    }
    if (result == 0) {
        result = mb_lease_check(lease);
    }
    if (result == 0) {
        (void)pthread_mutex_lock(&lease->client->lock);
        result = duplicate(lease, extent, ret_descriptor);
        (void)pthread_mutex_unlock(&lease->client->lock);
    }
    return error_end(result);
}
