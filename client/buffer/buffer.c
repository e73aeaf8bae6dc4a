/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: creating them, and counting their references. */
#define MB_NO_INLINE
#include "client/buffer/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffer/cache.h"
#include "client/buffer/large.h"
#include "client/buffer/pool.h"
#include "client/buffer/scope_list.h"
#include "client/buffer/weak.h"
#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/thread.h"
#include "proto/name.h"

/* ---- the heap's list of large and named buffers; its lock is held ---- */

static void list(mb_buffer *buffer, struct listing *listing, const char *name)
{
    listing->buffer = buffer;
    listing->large = buffer->flags & BUFFER_LARGE ? buffer : NULL;
    listing->name[0] = '\0';
    if (name) {
        (void)stpncpy(listing->name, name, sizeof listing->name - 1);
        listing->name[sizeof listing->name - 1] = '\0';
    }
    buffer->listing = listing;
    buffer->flags |= BUFFER_LISTED;
    TAILQ_INSERT_TAIL(&buffer->heap->listings, listing, in_heap);
}

static void unlist(mb_buffer *buffer)
{
    TAILQ_REMOVE(&buffer->heap->listings, buffer->listing, in_heap);
    buffer->listing = NULL;
}

/* ---- allocating ---- */

/* In misuse mode a page that is never handed out follows a large buffer; the rest of its block follows a small one. */
static uint64_t block_bytes(const mb_buffer *buffer)
{
    return buffer->flags & BUFFER_LARGE ? (uint64_t)buffer->span->pages * HEAP_PAGE_BYTES
                                        : size_class_bytes[buffer->size_class];
}

static void begin_life(mb_buffer *buffer, size_t bytes, unsigned flags, size_t zero_from)
{
    buffer->head.size = bytes;
    atomic_store_explicit(&buffer->references, 1, memory_order_relaxed);
    if (buffer->heap->catch_misuse) {
        misuse_alive(buffer->head.data, bytes, flags & MB_ZEROED);
    }
    if (flags & MB_ZEROED) {
        memset(buffer->head.data, 0, bytes < zero_from ? bytes : zero_from);
    }
}

static mb_buffer *create_small(struct thread *thread, struct heap *heap, size_t bytes, unsigned flags)
{
    mb_buffer *buffer = cache_take(thread, heap, size_class_of(bytes));
    if (buffer) {
        begin_life(buffer, bytes, flags, bytes);
    }
    return buffer;
}

static mb_buffer *create_large(struct heap *heap, size_t bytes, unsigned flags, const char *name)
{
    uint64_t pages = ((uint64_t)bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES + (heap->catch_misuse ? 1 : 0);
    uint32_t fresh;
    if (bytes > INT64_MAX || pages > UINT32_MAX / 2) {
        (void)error_set(-ENOMEM, "%zu bytes are more than any buffer can have", bytes);
        return NULL;
    }
    (void)pthread_mutex_lock(&heap->lock);
    mb_buffer *buffer;
    while (!(buffer = large_take(heap, (uint32_t)pages, &fresh))) {
        (void)pthread_mutex_unlock(&heap->lock);
        if (pool_grow(&heap->large, (uint32_t)pages) < 0) {
            return NULL;
        }
        (void)pthread_mutex_lock(&heap->lock);
    }
    list(buffer, large_listing(buffer), name);
    (void)pthread_mutex_unlock(&heap->lock);
    begin_life(buffer, bytes, flags, (size_t)fresh * HEAP_PAGE_BYTES);
    return buffer;
}

static void free_large(mb_buffer *buffer)
{
    struct heap *heap = buffer->heap;
    (void)pthread_mutex_lock(&heap->lock);
    unlist(buffer);
    buffer->flags = BUFFER_LARGE;
    large_give(buffer);
    heap_unlock(heap);
}

static void free_small(mb_buffer *buffer)
{
    if (buffer->flags & BUFFER_LISTED) {
        struct listing *listing = buffer->listing;
        (void)pthread_mutex_lock(&buffer->heap->lock);
        unlist(buffer);
        (void)pthread_mutex_unlock(&buffer->heap->lock);
        free(listing);
    }
    buffer->flags = 0;
    cache_give(buffer);
}

static void free_block(mb_buffer *buffer)
{
    if (!thread_process_is(buffer->heap->client->owner)) {
        return; /* a forked child has only a copy of the record */
    }
    if (buffer->heap->catch_misuse) {
        misuse_poison(buffer->head.data, block_bytes(buffer));
    }
    if (buffer->flags & BUFFER_LARGE) {
        free_large(buffer);
    } else {
        free_small(buffer);
    }
}

/* ---- creating ---- */

static int check(const mb_client *client, size_t bytes, const mb_buffer_options *options)
{
    if (options->size < sizeof *options) {
        return error_set(-EINVAL, "the options must begin as MB_BUFFER_OPTIONS_INIT");
    }
    if (bytes == 0) {
        return error_set(-EINVAL, "a buffer has at least 1 byte");
    }
    if (options->flags & ~MB_ZEROED) {
        return error_set(-EINVAL, "a buffer's flags are 0 or MB_ZEROED");
    }
    if (options->location < MB_LOCATION_RAM || options->location > MB_LOCATION_AUTO) {
        return error_set(-EINVAL, "a buffer's location is RAM, MMAP or AUTO");
    }
    if (options->name && !name_is_valid(options->name)) {
        return error_set(-EINVAL, "a buffer's name must be UTF-8 of at most 63 bytes without control characters");
    }
    return thread_process_is(client->owner) ? 0 : owner_check(client);
}

static int name_small(mb_buffer *buffer, const char *name)
{
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) {
        return -ENOMEM;
    }
    (void)pthread_mutex_lock(&buffer->heap->lock);
    list(buffer, listing, name);
    (void)pthread_mutex_unlock(&buffer->heap->lock);
    return 0;
}

static int create(struct thread *thread, mb_client *client, size_t bytes, const mb_buffer_options *options,
                  mb_buffer **ret_buffer)
{
    struct heap *heap = heap_of(client->heaps, options->location);
    mb_buffer *buffer = bytes <= SMALL_BYTES_MAX ? create_small(thread, heap, bytes, options->flags)
                                                 : create_large(heap, bytes, options->flags, options->name);
    if (!buffer) {
        return -errno;
    }
    if (options->name && !(buffer->flags & BUFFER_LISTED) && name_small(buffer, options->name) < 0) {
        free_block(buffer);
        return error_set(-ENOMEM, "out of memory for the library's own tables");
    }
    if (thread->buffer_scope) {
        scope_list_add(thread->buffer_scope, buffer);
    }
    *ret_buffer = buffer;
    return 0;
}

__attribute__((noinline)) static int create_slowly(mb_client *client, size_t bytes, const mb_buffer_options *options,
                                                   mb_buffer **ret_buffer)
{
    static const mb_buffer_options defaults = MB_BUFFER_OPTIONS_INIT;
    options = options ? options : &defaults;
    struct thread *thread = thread_get();
    int result = thread ? check(client, bytes, options) : -ENOMEM;
    return result < 0 ? result : error_end(create(thread, client, bytes, options, ret_buffer));
}

int mb_buffer_create(mb_client *client, size_t bytes, const mb_buffer_options *options, mb_buffer **ret_buffer)
{
    if (__builtin_expect(!options && bytes - 1 < SMALL_BYTES_MAX, 1)) {
        mb_buffer *cached = cache_pop(client, size_class_of(bytes));
        if (__builtin_expect(cached != NULL, 1)) {
            cached->head.size = bytes;
            atomic_store_explicit(&cached->references, 1, memory_order_relaxed);
            *ret_buffer = cached;
            return error_end(0);
        }
    }
    return create_slowly(client, bytes, options, ret_buffer);
}

/* ---- references ---- */

__attribute__((noinline)) static mb_buffer *end_life(mb_buffer *buffer)
{
    if (buffer->flags & BUFFER_WEAK) {
        weak_cut(buffer);
    }
    if (buffer->flags & BUFFER_SCOPED) {
        scope_list_remove(buffer);
    }
    free_block(buffer);
    return NULL;
}

mb_buffer *mb_buffer_ref(mb_buffer *buffer)
{
    (void)atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

mb_buffer *mb_buffer_unref(mb_buffer *buffer)
{
    if (!buffer) {
        return NULL;
    }
    /* The only reference without a weak one needs no atomic: no other thread can get one. */
    if (__builtin_expect(atomic_load_explicit(&buffer->references, memory_order_acquire) == 1 && buffer->flags == 0,
                         1)) {
        return cache_push(buffer) ? NULL : end_life(buffer);
    }
    bool is_last = atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) == 1;
    return is_last ? end_life(buffer) : NULL;
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
    return mb_lease_location(buffer->span->chunk->lease);
}

unsigned mb_buffer_references(const mb_buffer *buffer)
{
    return atomic_load_explicit(&buffer->references, memory_order_relaxed);
}

int mb_buffer_check(const mb_buffer *buffer)
{
    return mb_lease_check(buffer->span->chunk->lease);
}

mb_ref mb_buffer_as_ref(mb_buffer *buffer)
{
    return (mb_ref){.data = buffer->head.data, .bytes = buffer->head.size, .buffer = buffer};
}
