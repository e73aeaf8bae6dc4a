/* SPDX-License-Identifier: Apache-2.0 */
/* A few places for each size class, in one cache line. The buffers themselves are not touched. */
#include "client/buffer/depot.h"

#include <stdlib.h>
#include <string.h>

struct depot_batch {
    uint64_t epoch;
    unsigned count;
    mb_buffer *buffers[];
};

static uint64_t bytes_of(unsigned size_class, unsigned count)
{
    return (uint64_t)count * size_class_bytes[size_class];
}

struct depot *depot_new(void)
{
    struct depot *depot = aligned_alloc(_Alignof(struct depot), sizeof *depot);
    if (depot) {
        memset(depot, 0, sizeof *depot);
    }
    return depot;
}

static bool reserve(struct depot *depot, uint64_t bytes, uint64_t bytes_max)
{
    if (atomic_fetch_add_explicit(&depot->bytes, bytes, memory_order_relaxed) + bytes <= bytes_max) {
        return true;
    }
    (void)atomic_fetch_sub_explicit(&depot->bytes, bytes, memory_order_relaxed);
    return false;
}

static struct depot_batch *batch_new(const struct depot_gift *gift)
{
    struct depot_batch *batch = malloc(sizeof *batch + gift->count * sizeof(mb_buffer *));
    if (batch) {
        batch->epoch = gift->epoch;
        batch->count = gift->count;
        memcpy(batch->buffers, gift->buffers, gift->count * sizeof(mb_buffer *));
    }
    return batch;
}

static bool put(struct depot_places *places, struct depot_batch *batch)
{
    for (unsigned i = 0; i < DEPOT_PLACES; i++) {
        struct depot_batch *none = NULL;
        if (!atomic_load_explicit(&places->of[i], memory_order_relaxed) &&
            atomic_compare_exchange_strong_explicit(&places->of[i], &none, batch, memory_order_release,
                                                    memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

static struct depot_batch *get(struct depot_places *places)
{
    struct depot_batch *batch = NULL;
    for (unsigned i = 0; i < DEPOT_PLACES && !batch; i++) {
        if (atomic_load_explicit(&places->of[i], memory_order_relaxed)) {
            batch = atomic_exchange_explicit(&places->of[i], NULL, memory_order_acquire);
        }
    }
    return batch;
}

bool depot_give(struct depot *depot, const struct depot_gift *gift, uint64_t bytes_max)
{
    uint64_t bytes = bytes_of(gift->size_class, gift->count);
    if (!reserve(depot, bytes, bytes_max)) {
        return false;
    }
    struct depot_batch *batch = batch_new(gift);
    if (batch && put(&depot->classes[gift->size_class], batch)) {
        return true;
    }
    free(batch);
    (void)atomic_fetch_sub_explicit(&depot->bytes, bytes, memory_order_relaxed);
    return false;
}

unsigned depot_take(struct depot *depot, unsigned size_class, mb_buffer **ret, uint64_t *ret_epoch)
{
    struct depot_batch *batch = get(&depot->classes[size_class]);
    if (!batch) {
        return 0;
    }
    unsigned count = batch->count;
    *ret_epoch = batch->epoch;
    memcpy(ret, batch->buffers, count * sizeof(mb_buffer *));
    free(batch);
    (void)atomic_fetch_sub_explicit(&depot->bytes, bytes_of(size_class, count), memory_order_relaxed);
    return count;
}

void depot_free(struct depot *depot)
{
    for (unsigned i = 0; depot && i < SIZE_CLASSES; i++) {
        for (unsigned place = 0; place < DEPOT_PLACES; place++) {
            free(atomic_load(&depot->classes[i].of[place]));
        }
    }
    free(depot);
}
