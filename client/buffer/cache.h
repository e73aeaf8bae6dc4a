/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's cache of buffers in RAM: those that it freed lately, handed out again without a lock. It serves one
 * client, the first that the thread made or freed a buffer of. Buffers of other clients go to the heap.
 */
#pragma once

#include <stdatomic.h>

#include "client/buffer/buffer.h"
#include "client/buffer/tag.h"
#include "client/client.h"
#include "client/thread.h"

enum {
    CACHE_BIN_BUFFERS = 254,
    CACHE_BIN_BYTES = 65536,
    CACHE_MEDIUM_BUFFERS = 16,
    CACHE_MEDIUM_BYTES = 1048576,
};

/* A stack. Below its first buffer is cache_bottom. */
struct cache_bin {
    mb_buffer **top, **end;
};

struct buffer_cache {
    uint64_t epoch; /* the client's when it was filled. If it is equal, the client is the same and nothing was lost */
    _Atomic uint64_t alive;   /* state of a buffer of the heap of class 0 with one reference. Once that heap ended, the
                                 tag is TAG_UNBOUND */
    char *sentence;           /* of the thread's newest error */
    uint32_t medium_bytes;    /* in all bins of medium buffers */
    uint32_t large_pages;     /* of the large buffer that was put below last */
    mb_buffer *_Atomic large; /* the large buffer that was freed last; any thread may take it to give it to the heap */
    struct cache_bin bins[SIZE_CLASSES];
    uint64_t serial; /* the heap's. No other heap ever has it */
    mb_client *client;
    uint64_t client_serial;
    LIST_ENTRY(buffer_cache) in_process;
    mb_buffer **firsts[SIZE_CLASSES]; /* of the bins */
    mb_buffer *places[];              /* of all bins */
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

/* Gives the large buffers that threads freed last to the heap. */
void cache_return_large(struct heap *heap);

/* The heap ends: no cache takes its buffers any more. */
void cache_unbind(const struct heap *heap);

/* Gives what the calling thread's cache has of this client back to the heap. */
void cache_flush(const mb_client *client);

/* The thread ends. The registry's lock is held. */
void cache_end_thread(struct thread *thread);

/* In a forked child, where the cached buffers are the parent's. */
void cache_forget(struct thread *thread);

/* Call it after a buffer scope was opened or closed. */
void cache_update(struct thread *thread);

/* ---- what a program waits for: it takes no lock ---- */

/* The calling thread's cache; one that has and takes nothing if it has none, or if a buffer scope is open. */
extern _Thread_local struct buffer_cache *cache_open __attribute__((tls_model("initial-exec"), visibility("hidden")));

extern mb_buffer cache_bottom __attribute__((visibility("hidden")));

static inline bool cache_serves(const struct buffer_cache *cache, const mb_client *client)
{
    return __builtin_expect(cache->epoch == atomic_load_explicit(&client->epoch, memory_order_relaxed), 1);
}

/* A small or medium buffer with one reference. NULL: take one from the heap. */
static inline mb_buffer *cache_pop(const mb_client *client, size_t bytes)
{
    struct buffer_cache *cache = cache_open;
    unsigned size_class = size_class_of(bytes);
    struct cache_bin *bin = &cache->bins[size_class];
    if (!cache_serves(cache, client)) {
        return NULL;
    }
    mb_buffer *buffer = bin->top[-1];
    if (__builtin_expect(buffer == &cache_bottom, 0)) {
        return NULL;
    }
    bin->top--;
    __builtin_prefetch(bin->top[-1], 1); /* the next one's record */
    if (__builtin_expect(size_class_is_medium(size_class), 0)) {
        cache->medium_bytes -= size_class_bytes[size_class];
    }
    buffer->head.size = bytes;
    uint64_t alive = atomic_load_explicit(&cache->alive, memory_order_relaxed);
    atomic_store_explicit(&buffer->state, alive | (uint64_t)size_class << STATE_CLASS_AT, memory_order_relaxed);
    cache->sentence[0] = '\0';
    return buffer;
}

/* The same for the large one that was freed last. */
mb_buffer *cache_pop_large(const mb_client *client, size_t bytes);

/*
 * Ends the buffer's life if it is small or medium, has one reference and no flags, and there is room. Otherwise false.
 * The only reference without a weak one needs no atomic: no other thread can get one.
 */
static inline bool cache_push(mb_buffer *buffer)
{
    struct buffer_cache *cache = cache_open;
    uint64_t state = atomic_load_explicit(&buffer->state, memory_order_acquire);
    uint64_t other = state ^ atomic_load_explicit(&cache->alive, memory_order_relaxed);
    uint64_t size_class = other >> STATE_CLASS_AT | other << (64 - STATE_CLASS_AT); /* if only that differs */
    if (__builtin_expect(size_class >= SIZE_CLASSES, 0)) {
        return false;
    }
    struct cache_bin *bin = &cache->bins[size_class];
    mb_buffer **top = bin->top;
    if (__builtin_expect(top == bin->end, 0)) {
        return false;
    }
    if (__builtin_expect(size_class >= SMALL_CLASSES, 0)) {
        uint32_t bytes = cache->medium_bytes + size_class_bytes[size_class];
        if (bytes > CACHE_MEDIUM_BYTES) {
            return false;
        }
        cache->medium_bytes = bytes;
    }
    *top = buffer;
    bin->top = top + 1;
    atomic_store_explicit(&buffer->state, state - 1, memory_order_relaxed);
    return true;
}

/* The same for larger ones, and for those that need room first. */
bool cache_push_large(mb_buffer *buffer);
