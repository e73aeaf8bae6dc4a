/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: creating them, and counting their references. */
#include "client/buffer/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/buffer/cache.h"
#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/thread.h"

/* ---- listing ---- */

void listing_free(struct listing *listing)
{
    if (listing->buffer->flags & BUFFER_LARGE) {
        free(listing->buffer); /* small ones are their slab's */
    }
    free(listing);
}

static int list(mb_buffer *buffer, const char *name)
{
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) {
        return error_set(-ENOMEM, "out of memory for the library's own tables");
    }
    listing->buffer = buffer;
    (void)stpncpy(listing->name, name ? name : "", sizeof listing->name - 1);
    buffer->listing = listing;
    buffer->flags |= BUFFER_LISTED;
    (void)pthread_mutex_lock(&buffer->heap->lock);
    TAILQ_INSERT_TAIL(&buffer->heap->listings, listing, in_heap);
    (void)pthread_mutex_unlock(&buffer->heap->lock);
    return 0;
}

static void unlist(mb_buffer *buffer)
{
    (void)pthread_mutex_lock(&buffer->heap->lock);
    TAILQ_REMOVE(&buffer->heap->listings, buffer->listing, in_heap);
    (void)pthread_mutex_unlock(&buffer->heap->lock);
    free(buffer->listing);
    buffer->listing = NULL;
}

/* ---- allocating ---- */

/* In misuse mode a large buffer is followed by a page that is never handed out; a small one by the rest of its block. */
static uint64_t block_bytes(const mb_buffer *buffer)
{
    return buffer->flags & BUFFER_LARGE ? (uint64_t)buffer->span->pages * HEAP_PAGE_BYTES
                                        : size_class_bytes[buffer->size_class];
}

static void begin_life(mb_buffer *buffer, size_t bytes, unsigned flags, size_t zero_from)
{
    buffer->size = bytes;
    atomic_store_explicit(&buffer->references, 1, memory_order_relaxed);
    if (buffer->heap->catch_misuse) {
        misuse_alive(buffer->data, bytes, flags & MB_ZEROED);
    }
    if (flags & MB_ZEROED) {
        memset(buffer->data, 0, bytes < zero_from ? bytes : zero_from);
    }
}

static mb_buffer *create_small(struct thread *thread, struct heap *heap, size_t bytes, unsigned flags)
{
    mb_buffer *buffer = buffer_cache_take(thread, heap, size_class_of(bytes));
    if (buffer) {
        begin_life(buffer, bytes, flags, bytes);
    }
    return buffer;
}

static struct span *take_span(struct heap *heap, uint32_t pages, uint32_t *ret_fresh)
{
    for (;;) {
        (void)pthread_mutex_lock(&heap->lock);
        struct span *span = span_take(&heap->large, pages, ret_fresh);
        (void)pthread_mutex_unlock(&heap->lock);
        if (span || pool_grow(&heap->large, pages) < 0) {
            return span;
        }
    }
}

static void give_span(struct heap *heap, struct span *span)
{
    uint64_t now = client_milliseconds();
    (void)pthread_mutex_lock(&heap->lock);
    span_give(span, now);
    heap_unlock(heap, now);
}

static mb_buffer *create_large(struct heap *heap, size_t bytes, unsigned flags, const char *name)
{
    uint64_t pages = ((uint64_t)bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES + (heap->catch_misuse ? 1 : 0);
    uint32_t fresh;
    if (bytes > INT64_MAX || pages > UINT32_MAX / 2) {
        (void)error_set(-ENOMEM, "%zu bytes are more than any buffer can have", bytes);
        return NULL;
    }
    mb_buffer *buffer = calloc(1, sizeof *buffer);
    struct span *span = buffer ? take_span(heap, (uint32_t)pages, &fresh) : NULL;
    if (!span) {
        if (!buffer) {
            (void)error_set(-ENOMEM, "out of memory for the library's own tables");
        }
        free(buffer);
        return NULL;
    }
    *buffer = (mb_buffer){.data = span_data(span), .flags = BUFFER_LARGE, .heap = heap, .span = span};
    begin_life(buffer, bytes, flags, (size_t)fresh * HEAP_PAGE_BYTES);
    if (list(buffer, name) < 0) {
        give_span(heap, span);
        free(buffer);
        return NULL;
    }
    return buffer;
}

static void free_block(mb_buffer *buffer)
{
    bool is_large = buffer->flags & BUFFER_LARGE;
    if (buffer->heap->client->owner != getpid()) {
        return; /* a forked child's copy */
    }
    if (buffer->heap->catch_misuse) {
        misuse_poison(buffer->data, block_bytes(buffer));
    }
    buffer->flags = 0;
    if (is_large) {
        give_span(buffer->heap, buffer->span);
        free(buffer);
    } else {
        buffer_cache_give(buffer);
    }
}

/* ---- creating ---- */

static int check(mb_client *client, size_t bytes, const mb_buffer_options *options)
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
    if (options->name && !codec_name_is_valid(options->name)) {
        return error_set(-EINVAL, "a buffer's name must be UTF-8 of at most 63 bytes without control characters");
    }
    return client_check_process(client);
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
    if (options->name && !(buffer->flags & BUFFER_LISTED)) {
        int result = list(buffer, options->name);
        if (result < 0) {
            free_block(buffer);
            return result;
        }
    }
    if (thread->buffer_scope) {
        buffer_scope_add(thread->buffer_scope, buffer);
    }
    *ret_buffer = buffer;
    return 0;
}

int mb_buffer_create(mb_client *client, size_t bytes, const mb_buffer_options *options, mb_buffer **ret_buffer)
{
    static const mb_buffer_options defaults = MB_BUFFER_OPTIONS_INIT;
    struct thread *thread = thread_self;
    if (__builtin_expect(thread && !options && bytes - 1 < SMALL_BYTES_MAX && !thread->buffer_scope, 1)) {
        mb_buffer *cached = buffer_cache_pop(thread->cache, client->heaps, size_class_of(bytes));
        if (__builtin_expect(cached != NULL, 1)) {
            cached->size = bytes;
            atomic_store_explicit(&cached->references, 1, memory_order_relaxed);
            *ret_buffer = cached;
            return 0;
        }
    }
    options = options ? options : &defaults;
    int result = check(client, bytes, options);
    thread = result == 0 ? thread_get() : NULL;
    if (!thread) {
        return result < 0 ? result : -ENOMEM;
    }
    return create(thread, client, bytes, options, ret_buffer);
}

/* ---- references ---- */

static void end_life(mb_buffer *buffer)
{
    if (buffer->flags & BUFFER_WEAK) {
        weak_cut(buffer);
    }
    if (buffer->flags & BUFFER_SCOPED) {
        buffer_scope_remove(buffer);
    }
    if (buffer->flags & BUFFER_LISTED) {
        unlist(buffer);
    }
    free_block(buffer);
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
    /* Who has the only reference, and no weak one exists, needs no atomic: nobody else can get one. */
    if (__builtin_expect(atomic_load_explicit(&buffer->references, memory_order_acquire) == 1 && buffer->flags == 0, 1)) {
        if (!buffer_cache_push(buffer)) {
            free_block(buffer);
        }
        return NULL;
    }
    if (atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) == 1) {
        end_life(buffer);
    }
    return NULL;
}

void mb_buffer_unrefp(mb_buffer **buffer)
{
    *buffer = mb_buffer_unref(*buffer);
}

/* ---- looking ---- */

void *mb_buffer_data(const mb_buffer *buffer)
{
    return buffer->data;
}

size_t mb_buffer_size(const mb_buffer *buffer)
{
    return buffer->size;
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
    return (mb_ref){.data = buffer->data, .bytes = buffer->size, .buffer = buffer};
}
