/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's cache of small buffers in RAM: what it freed lately, ready to be handed out again without a lock. It
 * serves one client, the first that the thread made a buffer of; others go to the heap itself.
 */
#pragma once

#include <stdatomic.h>

#include "client/buffer/buffer.h"
#include "client/client.h"
#include "client/thread.h"

enum { CACHE_BIN_BUFFERS = 31, CACHE_BIN_BYTES = 65536 };

struct cache_bin {
    uint32_t count, capacity;
    mb_buffer *buffers[CACHE_BIN_BUFFERS];
};

struct buffer_cache {
    uint64_t epoch;  /* the client's buffer_epoch when it was filled: equal means same client, and nothing lost since */
    uint64_t serial; /* of its heap: a heap that is gone has none that matches */
    mb_client *client;
    struct cache_bin bins[SIZE_CLASSES];
};

/* A small buffer of the client's RAM heap, from the cache, or by way of it from the heap. NULL with the sentence set.
 */
mb_buffer *buffer_cache_take(struct thread *thread, struct heap *heap, unsigned size_class);

/* Puts a small buffer into the cache, or back into its heap. */
void buffer_cache_give(mb_buffer *buffer);

/* Gives what the calling thread's cache has of this client back to the heap. */
void buffer_cache_flush(const mb_client *client);

/* The thread ends. */
void buffer_cache_end(struct thread *thread);

/* ---- the two that need no call: nothing but a few loads and stores ---- */

/* The calling thread's cache while it has one and no buffer scope is open; else NULL. */
extern _Thread_local struct buffer_cache *buffer_cache_open
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A buffer scope was opened or closed, or the cache made. */
void buffer_cache_update(struct thread *thread);

/* NULL: ask buffer_cache_take(). */
static inline mb_buffer *buffer_cache_pop(const mb_client *client, unsigned size_class)
{
    struct buffer_cache *cache = buffer_cache_open;
    if (__builtin_expect(!cache || cache->epoch != atomic_load_explicit(&client->buffer_epoch, memory_order_relaxed),
                         0)) {
        return NULL;
    }
    struct cache_bin *bin = &cache->bins[size_class];
    return bin->count > 0 ? bin->buffers[--bin->count] : NULL;
}

/* False: there is no room, or the buffer is not for this cache. */
static inline bool buffer_cache_push(mb_buffer *buffer)
{
    struct buffer_cache *cache = buffer_cache_open;
    if (!cache || cache->serial != buffer->serial) {
        return false;
    }
    struct cache_bin *bin = &cache->bins[buffer->size_class];
    if (bin->count == bin->capacity) {
        return false;
    }
    bin->buffers[bin->count++] = buffer;
    return true;
}
