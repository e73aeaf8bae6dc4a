/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's cache of small and medium buffers in RAM: those that it freed lately, handed out again without a lock. It
 * serves one client, the first that the thread made a buffer of. Buffers of other clients go to the heap.
 */
#pragma once

#include <stdatomic.h>

#include "client/buffer/buffer.h"
#include "client/buffer/tag.h"
#include "client/client.h"
#include "client/thread.h"

enum { CACHE_BIN_BUFFERS = 254, CACHE_BIN_BYTES = 65536, CACHE_MEDIUM_BUFFERS = 16, CACHE_MEDIUM_BYTES = 1048576 };

struct cache_bin {
    uint32_t count, capacity;
    mb_buffer *buffers[CACHE_BIN_BUFFERS];
};

struct buffer_cache {
    uint64_t epoch; /* the client's when it was filled. If it is equal, the client is the same and nothing was lost */
    _Atomic uint16_t tag;  /* the heap's; TAG_UNBOUND once that ended */
    uint32_t medium_bytes; /* in all bins of medium buffers */
    uint64_t serial;       /* the heap's. No other heap ever has it */
    mb_client *client;
    uint64_t client_serial;
    LIST_ENTRY(buffer_cache) in_process;
    struct cache_bin bins[SIZE_CLASSES];
};

/*
 * A buffer from the cache, or from the heap through it. NULL with errno and the sentence set; -EAGAIN: the broker must
 * be asked, and `may_ask` is false.
 */
mb_buffer *cache_take_small(struct thread *thread, struct heap *heap, unsigned size_class, bool may_ask);

/* A medium buffer that was freed lately; NULL: none was. */
mb_buffer *cache_take_medium(struct thread *thread, struct heap *heap, unsigned size_class);

/* Puts a buffer into the cache, or back into its heap. */
void cache_give(mb_buffer *buffer);

/* The heap ends: no cache takes its buffers any more. The registry's lock is held. */
void cache_unbind(const struct heap *heap);

/* Gives what the calling thread's cache has of this client back to the heap. */
void cache_flush(const mb_client *client);

/* The thread ends. The registry's lock is held. */
void cache_end_thread(struct thread *thread);

/* In a forked child, where the cached buffers are the parent's. */
void cache_forget(struct thread *thread);

/* ---- the two that call nothing: a few loads and stores ---- */

/* The calling thread's cache while it has one and no buffer scope is open; else NULL. */
extern _Thread_local struct buffer_cache *cache_open __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Call it after a buffer scope was opened or closed. */
void cache_update(struct thread *thread);

/* NULL: take one from the heap. */
static inline mb_buffer *cache_pop(const mb_client *client, unsigned size_class)
{
    struct buffer_cache *cache = cache_open;
    if (__builtin_expect(!cache || cache->epoch != atomic_load_explicit(&client->epoch, memory_order_relaxed), 0)) {
        return NULL;
    }
    struct cache_bin *bin = &cache->bins[size_class];
    if (bin->count == 0) {
        return NULL;
    }
    if (size_class_is_medium(size_class)) {
        cache->medium_bytes -= size_class_bytes[size_class];
    }
    return bin->buffers[--bin->count];
}

/* False: there is no room, or the buffer is not for this cache. */
static inline bool cache_push(mb_buffer *buffer)
{
    struct buffer_cache *cache = cache_open;
    if (!cache || atomic_load_explicit(&cache->tag, memory_order_relaxed) != buffer->tag) {
        return false;
    }
    struct cache_bin *bin = &cache->bins[buffer->size_class];
    if (bin->count == bin->capacity) {
        return false;
    }
    if (size_class_is_medium(buffer->size_class)) {
        uint32_t bytes = cache->medium_bytes + size_class_bytes[buffer->size_class];
        if (bytes > CACHE_MEDIUM_BYTES) {
            return false;
        }
        cache->medium_bytes = bytes;
    }
    atomic_store_explicit(&buffer->references, 0, memory_order_relaxed);
    bin->buffers[bin->count++] = buffer;
    return true;
}
