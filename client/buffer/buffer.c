/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: creating them, and counting their references. */
#define MB_NO_INLINE
#include "client/buffer/buffer.h"

#include <errno.h>
#include <string.h>

#include "client/buffer/cache.h"
#include "client/buffer/extra.h"
#include "client/buffer/large.h"
#include "client/buffer/pool.h"
#include "client/buffer/scope_list.h"
#include "client/buffer/weak.h"
#include "client/client.h"
#include "client/error.h"
#include "client/location.h"
#include "client/misuse.h"
#include "client/owner.h"
#include "client/thread.h"
#include "proto/name.h"

/* A zeroed buffer of this size or more takes pages that were never used: those nobody touches need no clearing. */
enum { FRESH_BYTES_MIN = 2 << 20 };

/* ---- allocating ---- */

/* In misuse mode a page that is never handed out follows a large buffer; the rest of its block follows a small one. */
static uint64_t block_bytes(const mb_buffer *buffer)
{
    if (!buffer_is_large(buffer)) {
        return size_class_bytes[buffer->size_class];
    }
    const struct span *span = buffer_span(buffer);
    return (uint64_t)span->pages * HEAP_PAGE_BYTES - (uint64_t)((char *)buffer->head.data - (char *)span_data(span));
}

/* Medium buffers stay listed in a thread's cache: whoever lists the holders reads this meanwhile. */
static inline void set_alive(mb_buffer *buffer, size_t bytes)
{
    __atomic_store_n(&buffer->head.size, bytes, __ATOMIC_RELAXED);
    atomic_store_explicit(&buffer->references, 1, memory_order_relaxed);
}

static void begin_life(mb_buffer *buffer, size_t bytes, unsigned flags, size_t zero_from)
{
    set_alive(buffer, bytes);
    if (buffer->tag == TAG_NONE && buffer_heap(buffer)->catch_misuse) {
        misuse_alive(buffer->head.data, bytes, flags & MB_ZEROED);
    }
    if (flags & MB_ZEROED) {
        memset(buffer->head.data, 0, bytes < zero_from ? bytes : zero_from);
    }
}

static mb_buffer *create_small(struct thread *thread, struct heap *heap, size_t bytes, unsigned flags)
{
    mb_buffer *buffer = cache_take_small(thread, heap, size_class_of(bytes));
    if (buffer) {
        begin_life(buffer, bytes, flags, bytes);
    }
    return buffer;
}

/* Pages that were never used, if the broker has any. NULL: it has not, or nobody asked for zeros. */
static mb_buffer *take_fresh(struct heap *heap, size_t bytes, unsigned flags, const struct span_wish *wish)
{
    mb_buffer *buffer = NULL;
    if (!(flags & MB_ZEROED) || bytes < FRESH_BYTES_MIN) {
        return NULL;
    }
    (void)pthread_mutex_lock(&heap->lock);
    buffer = large_take_fresh(heap, wish);
    (void)pthread_mutex_unlock(&heap->lock);
    if (!buffer && pool_grow_fresh(&heap->large, wish) == 0) {
        (void)pthread_mutex_lock(&heap->lock);
        buffer = large_take_fresh(heap, wish); /* NULL: another thread was faster */
        (void)pthread_mutex_unlock(&heap->lock);
    }
    return buffer;
}

static mb_buffer *take_any(struct heap *heap, const struct span_wish *wish, uint32_t *ret_fresh)
{
    for (;;) {
        (void)pthread_mutex_lock(&heap->lock);
        mb_buffer *buffer = large_take(heap, wish, ret_fresh);
        int error = errno;
        heap_unlock(heap);
        if (buffer) {
            return buffer;
        }
        if (error == ENOMEM) {
            (void)error_set(-ENOMEM, "out of memory for the library's own tables");
            return NULL;
        }
        if (pool_grow(&heap->large, wish) < 0) {
            return NULL;
        }
    }
}

static mb_buffer *create_large(struct thread *thread, struct heap *heap, size_t bytes, unsigned flags, const char *name)
{
    uint64_t pages = ((uint64_t)bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES + (heap->catch_misuse ? 1 : 0);
    if (bytes > INT64_MAX || pages > UINT32_MAX / 2) {
        (void)error_set(-ENOMEM, "%zu bytes are more than any buffer can have", bytes);
        return NULL;
    }
    const struct span_wish wish = large_wish(heap, (uint32_t)pages, 1);
    bool is_medium = bytes <= MEDIUM_BYTES_MAX && !name;
    mb_buffer *buffer = is_medium ? cache_take_medium(thread, heap, size_class_of(bytes)) : NULL;
    if (buffer) { /* it is listed */
        begin_life(buffer, bytes, flags, bytes);
        return buffer;
    }
    uint32_t fresh = 0;
    buffer = take_fresh(heap, bytes, flags, &wish);
    buffer = buffer ? buffer : take_any(heap, &wish, &fresh);
    if (buffer) {
        begin_life(buffer, bytes, flags, (size_t)fresh * HEAP_PAGE_BYTES);
        (void)pthread_mutex_lock(&heap->lock);
        extra_list(buffer, name);
        (void)pthread_mutex_unlock(&heap->lock);
    }
    return buffer;
}

static void free_large(mb_buffer *buffer)
{
    struct heap *heap = buffer_heap(buffer);
    (void)pthread_mutex_lock(&heap->lock);
    extra_unlist(buffer);
    large_give(buffer);
    heap_unlock(heap);
}

/* A large one stays listed in the thread's cache, without a name. */
static void unlist(mb_buffer *buffer)
{
    struct heap *heap = buffer_heap(buffer);
    (void)pthread_mutex_lock(&heap->lock);
    extra_unlist(buffer);
    (void)pthread_mutex_unlock(&heap->lock);
}

static void free_block(mb_buffer *buffer)
{
    struct heap *heap = buffer_heap(buffer);
    if (!thread_process_is(heap->client->owner)) {
        return; /* a forked child has only a copy of the record */
    }
    if (heap->catch_misuse) {
        misuse_poison(buffer->head.data, block_bytes(buffer));
    }
    if (buffer_is_large(buffer) && (buffer->tag == TAG_NONE || buffer_has(buffer, BUFFER_NAMED))) {
        free_large(buffer);
        return;
    }
    if (buffer_has(buffer, BUFFER_NAMED)) {
        unlist(buffer);
    }
    extra_free(buffer);
    cache_give(buffer);
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
    if (!location_is_valid(options->location)) {
        return error_set(-EINVAL, "a buffer's location is RAM, MMAP or AUTO");
    }
    if (options->name && !name_is_valid(options->name)) {
        return error_set(-EINVAL, "a buffer's name must be UTF-8 of at most 63 bytes without control characters");
    }
    return thread_process_is(client->owner) ? 0 : owner_check(client);
}

static bool name_small(mb_buffer *buffer, const char *name)
{
    struct heap *heap = buffer_heap(buffer);
    if (!extra_of(buffer)) {
        return false;
    }
    (void)pthread_mutex_lock(&heap->lock);
    extra_list(buffer, name);
    (void)pthread_mutex_unlock(&heap->lock);
    return true;
}

static int create(struct thread *thread, mb_client *client, size_t bytes, const mb_buffer_options *options,
                  mb_buffer **ret_buffer)
{
    struct heap *heap = heap_of(client->heaps, options->location);
    bool is_small = bytes <= SMALL_BYTES_MAX;
    mb_buffer *buffer = is_small ? create_small(thread, heap, bytes, options->flags)
                                 : create_large(thread, heap, bytes, options->flags, options->name);
    if (!buffer) {
        return -errno;
    }
    bool is_named = !is_small || !options->name || name_small(buffer, options->name);
    if (!is_named || (thread->buffer_scope && !scope_list_add(thread->buffer_scope, buffer))) {
        free_block(buffer);
        return error_set(-ENOMEM, "out of memory for the library's own tables");
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
    if (__builtin_expect(!options && bytes - 1 < MEDIUM_BYTES_MAX, 1)) {
        mb_buffer *cached = cache_pop(client, size_class_of(bytes));
        if (__builtin_expect(cached != NULL, 1)) {
            set_alive(cached, bytes);
            *ret_buffer = cached;
            return error_end(0);
        }
    }
    return create_slowly(client, bytes, options, ret_buffer);
}

/* ---- references ---- */

__attribute__((noinline)) static mb_buffer *end_life(mb_buffer *buffer)
{
    if (buffer_has(buffer, BUFFER_WEAK)) {
        weak_cut(buffer);
    }
    if (buffer_has(buffer, BUFFER_SCOPED)) {
        scope_list_remove(buffer);
    }
    atomic_store_explicit(&buffer->references, 0, memory_order_relaxed);
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
    if (__builtin_expect(atomic_load_explicit(&buffer->references, memory_order_acquire) == 1 &&
                             !buffer_has(buffer, UINT8_MAX),
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
    return mb_lease_location(buffer_lease(buffer));
}

unsigned mb_buffer_references(const mb_buffer *buffer)
{
    return atomic_load_explicit(&buffer->references, memory_order_relaxed);
}

int mb_buffer_check(const mb_buffer *buffer)
{
    return mb_lease_check(buffer_lease(buffer));
}

mb_ref mb_buffer_as_ref(mb_buffer *buffer)
{
    return (mb_ref){.data = buffer->head.data, .bytes = buffer->head.size, .buffer = buffer};
}
