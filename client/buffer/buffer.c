/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: creating them, and counting their references. */
#define MB_NO_INLINE
#include "client/buffer/buffer.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "client/buffer/block.h"
#include "client/buffer/cache.h"
#include "client/buffer/scope_list.h"
#include "client/buffer/weak.h"
#include "client/client.h"
#include "client/error.h"
#include "client/location.h"
#include "client/owner.h"
#include "client/thread.h"
#include "proto/name.h"

enum { ALIGNMENT_MAX = 2 << 20 };

/* It takes a few nanoseconds, a tenth more or less depending on where its jumps lie: so they stay where they are. */
#define HOT __attribute__((aligned(64)))

/* ---- creating ---- */

static int check(const mb_client *client, size_t bytes, const mb_buffer_options *options)
{
    if (bytes == 0) {
        return error_set(-EINVAL, "a buffer has at least 1 byte");
    }
    if (options->flags & ~(MB_ZEROED | MB_BUFFER_NO_WAIT)) {
        return error_set(-EINVAL, "a buffer's flags are MB_ZEROED and MB_BUFFER_NO_WAIT");
    }
    if (options->alignment > ALIGNMENT_MAX || (options->alignment & (options->alignment - 1))) {
        return error_set(-EINVAL, "a buffer's alignment is a power of two of at most %d, or 0", ALIGNMENT_MAX);
    }
    if (!location_is_valid(options->location)) {
        return error_set(-EINVAL, "a buffer's location is RAM, MMAP or AUTO");
    }
    if (options->name && !name_is_valid(options->name)) {
        return error_set(-EINVAL, "a buffer's name must be UTF-8 of at most 63 bytes without control characters");
    }
    return thread_process_is(client->owner) ? 0 : owner_check(client);
}

static int create(struct thread *thread, mb_client *client, size_t bytes, const mb_buffer_options *options,
                  mb_buffer **ret_buffer)
{
    const struct block_wish wish = {
        .bytes = bytes, .alignment = options->alignment, .flags = options->flags, .name = options->name};
    mb_buffer *buffer = block_create(thread, heap_of(client->heaps, options->location), &wish);
    if (!buffer) {
        return -errno;
    }
    if (thread->buffer_scope && !scope_list_add(thread->buffer_scope, buffer)) {
        block_free(buffer);
        return error_no_memory();
    }
    *ret_buffer = buffer;
    return 0;
}

/* A program that was compiled with an older header has fewer options; those that it lacks are 0. */
static int read_options(const mb_buffer_options *options, mb_buffer_options *ret)
{
    *ret = (mb_buffer_options)MB_BUFFER_OPTIONS_INIT;
    if (options && options->size < offsetof(mb_buffer_options, alignment)) {
        return error_set(-EINVAL, "the options must begin as MB_BUFFER_OPTIONS_INIT");
    }
    if (options) {
        memcpy(ret, options, options->size < sizeof *ret ? options->size : sizeof *ret);
    }
    return 0;
}

/* Whether a thread's cache may serve it: with the options that NULL stands for, and whether it may wait or not. */
static inline bool is_plain(const mb_buffer_options *options)
{
    return !options || (options->size == sizeof *options && !options->name && options->location == location_cached() &&
                        (options->flags & ~MB_BUFFER_NO_WAIT) == 0 && options->alignment == 0);
}

__attribute__((noinline)) static int create_slowly(mb_client *client, size_t bytes, const mb_buffer_options *options,
                                                   mb_buffer **ret_buffer)
{
    mb_buffer_options whole;
    mb_buffer *cached = bytes > MEDIUM_BYTES_MAX && is_plain(options) ? cache_pop_large(client, bytes) : NULL;
    if (cached) {
        *ret_buffer = cached;
        return 0;
    }
    struct thread *thread = thread_get();
    int result = thread ? read_options(options, &whole) : -ENOMEM;
    result = result < 0 ? result : check(client, bytes, &whole);
    return result < 0 ? result : error_end(create(thread, client, bytes, &whole, ret_buffer));
}

HOT int mb_buffer_create(mb_client *client, size_t bytes, const mb_buffer_options *options, mb_buffer **ret_buffer)
{
    if (__builtin_expect(bytes - 1 < MEDIUM_BYTES_MAX && is_plain(options), 1)) {
        mb_buffer *cached = cache_pop(client, bytes);
        if (__builtin_expect(cached != NULL, 1)) {
            *ret_buffer = cached;
            return 0;
        }
    }
    return create_slowly(client, bytes, options, ret_buffer);
}

/* ---- references ---- */

static mb_buffer *end_life(mb_buffer *buffer)
{
    if (buffer_has(buffer, BUFFER_WEAK)) {
        weak_cut(buffer);
    }
    if (buffer_has(buffer, BUFFER_SCOPED)) {
        scope_list_remove(buffer);
    }
    buffer_set_references(buffer, 0);
    block_free(buffer);
    return NULL;
}

__attribute__((noinline)) static mb_buffer *unref_slowly(mb_buffer *buffer)
{
    if (cache_push_large(buffer)) {
        return NULL;
    }
    uint64_t before = atomic_load_explicit(&buffer->state, memory_order_acquire);
    bool is_only = (uint32_t)before == 1 && !buffer_has(buffer, UINT8_MAX);
    if (!is_only) {
        before = atomic_fetch_sub_explicit(&buffer->state, 1, memory_order_acq_rel);
    }
    return (uint32_t)before == 1 ? end_life(buffer) : NULL;
}

mb_buffer *mb_buffer_ref(mb_buffer *buffer)
{
    (void)atomic_fetch_add_explicit(&buffer->state, 1, memory_order_relaxed);
    return buffer;
}

HOT mb_buffer *mb_buffer_unref(mb_buffer *buffer)
{
    if (!buffer || __builtin_expect(cache_push(buffer), 1)) {
        return NULL;
    }
    return unref_slowly(buffer);
}

void mb_buffer_unrefp(mb_buffer **buffer)
{
    *buffer = mb_buffer_unref(*buffer);
}

/* ---- looking ---- */

void *mb_buffer_data(const mb_buffer *buffer)
{
    return buffer->head.data;
}

size_t mb_buffer_size(const mb_buffer *buffer)
{
    return buffer->head.size;
}

mb_location mb_buffer_location(const mb_buffer *buffer)
{
    return mb_lease_location(buffer_lease(buffer));
}

unsigned mb_buffer_references(const mb_buffer *buffer)
{
    return buffer_references(buffer);
}

int mb_buffer_check(const mb_buffer *buffer)
{
    return mb_lease_check(buffer_lease(buffer));
}

mb_ref mb_buffer_as_ref(mb_buffer *buffer)
{
    return (mb_ref){.data = buffer->head.data, .bytes = buffer->head.size, .buffer = buffer};
}
