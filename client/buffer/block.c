/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a buffer's memory: by its size in a slab, or as a span of its own. */
#include "client/buffer/block.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "client/buffer/cache.h"
#include "client/buffer/extra.h"
#include "client/buffer/large.h"
#include "client/buffer/pool.h"
#include "client/client.h"
#include "client/error.h"
#include "client/mapping.h"
#include "client/misuse.h"
#include "client/thread.h"

/* A zeroed buffer of this size or more takes pages that were never used: if the program does not touch them, they need
 * no clearing. */
enum { FRESH_BYTES_MIN = 2 << 20 };

/* ---- allocating ---- */

/* In misuse mode a page that is never handed out follows a large buffer; the rest of its block follows a small one. */
uint64_t block_bytes(const mb_buffer *buffer)
{
    return buffer_is_large(buffer) ? (uint64_t)buffer_span(buffer)->pages * HEAP_PAGE_BYTES
                                   : size_class_bytes[buffer_class(buffer)];
}

static void begin_life(mb_buffer *buffer, size_t bytes, unsigned flags, size_t zero_from)
{
    block_set_alive(buffer, bytes);
    if (buffer_tag(buffer) == TAG_NONE && buffer_heap(buffer)->catch_misuse) {
        misuse_alive(buffer->head.data, bytes, flags & MB_ZEROED);
    }
    if (flags & MB_ZEROED) {
        memset(buffer->head.data, 0, bytes < zero_from ? bytes : zero_from);
    }
}

/* The smallest class whose blocks are aligned: they lie at multiples of their size, from a page on. SIZE_CLASSES: no
 * small one is. */
static unsigned aligned_class(size_t bytes, size_t alignment)
{
    unsigned size_class = bytes <= SMALL_BYTES_MAX ? size_class_of(bytes) : SMALL_CLASSES;
    while (size_class < SMALL_CLASSES && alignment && size_class_bytes[size_class] % alignment) {
        size_class++;
    }
    return size_class < SMALL_CLASSES && alignment <= HEAP_PAGE_BYTES ? size_class : SIZE_CLASSES;
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

static mb_buffer *create_small(struct thread *thread, struct heap *heap, unsigned size_class,
                               const struct block_wish *wish)
{
    mb_buffer *buffer = cache_take_small(thread, heap, size_class, !(wish->flags & MB_BUFFER_NO_WAIT));
    if (!buffer) {
        return NULL;
    }
    begin_life(buffer, wish->bytes, wish->flags, wish->bytes);
    if (wish->name && !name_small(buffer, wish->name)) {
        block_free(buffer);
        (void)error_no_memory();
        return NULL;
    }
    return buffer;
}

/* A large buffer that was taken; no one is told of it before it has references. With the heap's lock. */
static mb_buffer *listed(mb_buffer *buffer, const char *name)
{
    if (buffer) {
        extra_list(buffer, name);
    }
    return buffer;
}

static bool wants_fresh(size_t bytes, unsigned flags)
{
    return (flags & MB_ZEROED) && bytes >= FRESH_BYTES_MIN;
}

/* Pages that are zero, if the broker has any. NULL: it has none, or no zeros are needed. */
static mb_buffer *take_fresh(struct heap *heap, size_t bytes, unsigned flags, const char *name,
                             const struct span_wish *wish)
{
    mb_buffer *buffer = NULL;
    if (!wants_fresh(bytes, flags)) {
        return NULL;
    }
    (void)pthread_mutex_lock(&heap->lock);
    buffer = listed(large_take_fresh(heap, wish), name);
    (void)pthread_mutex_unlock(&heap->lock);
    if (!buffer && !(flags & MB_BUFFER_NO_WAIT) && pool_grow_fresh(&heap->large, wish) == 0) {
        (void)pthread_mutex_lock(&heap->lock);
        buffer = listed(large_take_fresh(heap, wish), name); /* NULL: another thread was faster */
        (void)pthread_mutex_unlock(&heap->lock);
    }
    return buffer;
}

static mb_buffer *take_any(struct heap *heap, unsigned flags, const char *name, const struct span_wish *wish,
                           uint32_t *ret_fresh)
{
    for (bool looked = false;; looked = true) {
        (void)pthread_mutex_lock(&heap->lock);
        mb_buffer *buffer = listed(large_take(heap, wish, ret_fresh), name);
        int error = errno;
        heap_unlock(heap);
        if (buffer) {
            return buffer;
        }
        if (error == ENOMEM) {
            (void)error_no_memory();
            return NULL;
        }
        if (!looked) {
            cache_return_large(heap);
            continue;
        }
        if (flags & MB_BUFFER_NO_WAIT) {
            (void)pool_refuse();
            return NULL;
        }
        if (pool_grow(&heap->large, wish) < 0) {
            return NULL;
        }
    }
}

static mb_buffer *create_large(struct thread *thread, struct heap *heap, const struct block_wish *wish)
{
    size_t bytes = wish->bytes;
    uint64_t pages = ((uint64_t)bytes + HEAP_PAGE_BYTES - 1) / HEAP_PAGE_BYTES + (heap->catch_misuse ? 1 : 0);
    if (bytes > INT64_MAX || pages > UINT32_MAX / 2) {
        (void)error_set(-ENOMEM, "%zu bytes are more than any buffer can have", bytes);
        return NULL;
    }
    uint32_t aligned = wish->alignment > HEAP_PAGE_BYTES ? (uint32_t)(wish->alignment / HEAP_PAGE_BYTES) : 1, fresh = 0;
    const struct span_wish span = large_wish(heap, (uint32_t)pages, aligned);
    bool is_medium = bytes > SMALL_BYTES_MAX && bytes <= MEDIUM_BYTES_MAX && !wish->name && aligned == 1;
    mb_buffer *buffer = is_medium ? cache_take_medium(thread, heap, size_class_of(bytes)) : NULL;
    if (buffer) { /* it is listed */
        begin_life(buffer, bytes, wish->flags, bytes);
        return buffer;
    }
    buffer = take_fresh(heap, bytes, wish->flags, wish->name, &span);
    buffer = buffer ? buffer : take_any(heap, wish->flags, wish->name, &span, &fresh);
    if (buffer) {
        begin_life(buffer, bytes, wish->flags, (size_t)fresh * HEAP_PAGE_BYTES);
    }
    if (buffer && wants_fresh(bytes, wish->flags) && !heap->catch_misuse &&
        mapping_may_lose_pages(buffer_lease(buffer))) {
        buffer_set(buffer, BUFFER_ZEROED);
    }
    return buffer;
}

mb_buffer *block_create(struct thread *thread, struct heap *heap, const struct block_wish *wish)
{
    unsigned size_class = aligned_class(wish->bytes, wish->alignment);
    return size_class < SMALL_CLASSES ? create_small(thread, heap, size_class, wish) : create_large(thread, heap, wish);
}

/* Gives up the pages of a buffer that was zero, so that the next one that must be zero can have it. That takes as long
 * as it took to write them; nobody knows whether the program did. */
static bool give_up_pages(mb_buffer *buffer)
{
    bool is_zero =
        buffer_has(buffer, BUFFER_ZEROED) && madvise(buffer->head.data, block_bytes(buffer), MADV_REMOVE) == 0;
    buffer_clear(buffer, BUFFER_ZEROED);
    return is_zero;
}

static void free_large(mb_buffer *buffer)
{
    struct heap *heap = buffer_heap(buffer);
    bool is_zero = give_up_pages(buffer);
    (void)pthread_mutex_lock(&heap->lock);
    extra_unlist(buffer);
    large_give(buffer, is_zero);
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

void block_free(mb_buffer *buffer)
{
    struct heap *heap = buffer_heap(buffer);
    if (!thread_process_is(heap->client->owner)) {
        return; /* a forked child has only a copy of the record */
    }
    if (heap->catch_misuse) {
        misuse_poison(buffer->head.data, block_bytes(buffer));
    }
    if (buffer_is_large(buffer) &&
        (buffer_tag(buffer) == TAG_NONE || buffer_has(buffer, BUFFER_NAMED | BUFFER_ZEROED))) {
        free_large(buffer);
        return;
    }
    if (buffer_has(buffer, BUFFER_NAMED)) {
        unlist(buffer);
    }
    extra_free(buffer);
    cache_give(buffer);
}
