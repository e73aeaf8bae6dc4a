/* SPDX-License-Identifier: Apache-2.0 */
/* The heap's lock is taken for a batch at a time. */
#include "client/buffer/supply.h"

#include "client/buffer/extra.h"
#include "client/buffer/large.h"
#include "client/buffer/slab.h"
#include "client/client.h"

void supply_give(struct heap *heap, mb_buffer *const *buffers, unsigned count)
{
    (void)pthread_mutex_lock(&heap->lock);
    for (unsigned i = 0; i < count; i++) {
        if (buffer_is_large(buffers[i])) {
            extra_unlist(buffers[i]);
            large_give(buffers[i], false);
        } else {
            slab_give(buffers[i]);
        }
    }
    heap_unlock(heap);
}

int supply_take_small(struct heap *heap, unsigned size_class, bool may_ask, mb_buffer **ret, unsigned count)
{
    (void)pthread_mutex_lock(&heap->lock);
    unsigned taken = slab_take(heap, size_class, ret, count);
    (void)pthread_mutex_unlock(&heap->lock);
    return taken > 0 ? (int)taken : slab_add(heap, size_class, may_ask, ret, count);
}

unsigned supply_take_medium(struct heap *heap, unsigned size_class, mb_buffer **ret, unsigned count)
{
    unsigned taken = 0;
    (void)pthread_mutex_lock(&heap->lock);
    while (taken < count && (ret[taken] = large_take_kept(heap, size_class))) {
        extra_list(ret[taken++], NULL);
    }
    (void)pthread_mutex_unlock(&heap->lock);
    return taken;
}

/* ---- batches ---- */

void supply_begin(struct heap *heap)
{
    (void)pthread_mutex_lock(&heap->lock);
    if (!atomic_load(&heap->depot)) {
        atomic_store(&heap->depot, depot_new());
    }
    (void)pthread_mutex_unlock(&heap->lock);
}

static struct depot *depot_of(struct heap *heap)
{
    return atomic_load_explicit(&heap->depot, memory_order_acquire);
}

/* Their records are in the cache of the processor that freed them. */
static void fetch_records(mb_buffer *const *buffers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        __builtin_prefetch(buffers[i], 1);
    }
}

unsigned supply_take_batch(struct heap *heap, unsigned size_class, mb_buffer **ret)
{
    struct depot *depot = depot_of(heap);
    uint64_t epoch;
    unsigned count;
    while (depot && (count = depot_take(depot, size_class, ret, &epoch)) > 0) {
        if (epoch == atomic_load_explicit(&heap->client->epoch, memory_order_relaxed)) {
            fetch_records(ret, count);
            return count;
        }
        supply_give(heap, ret, count); /* some may lie in a lost lease */
    }
    return 0;
}

void supply_give_batch(struct heap *heap, const struct depot_gift *gift)
{
    struct depot *depot = depot_of(heap);
    uint64_t bytes_max = atomic_load_explicit(&heap->depot_bytes_max, memory_order_relaxed);
    if (depot && depot_give(depot, gift, bytes_max)) {
        heap_plan_return(heap);
    } else {
        supply_give(heap, gift->buffers, gift->count);
    }
}

void supply_drain(struct heap *heap)
{
    mb_buffer *buffers[DEPOT_BATCH_MAX];
    struct depot *depot = depot_of(heap);
    uint64_t epoch;
    for (unsigned i = 0; depot && i < SIZE_CLASSES; i++) {
        unsigned count;
        while ((count = depot_take(depot, i, buffers, &epoch)) > 0) {
            supply_give(heap, buffers, count);
        }
    }
}
