/* SPDX-License-Identifier: Apache-2.0 */
/* Lost chunks are withdrawn, and the heap takes another tag. */
#include "client/buffer/losses.h"

#include "client/buffer/span.h"
#include "client/buffer/tag.h"
#include "client/client.h"

static bool note_in(struct pool *pool)
{
    struct chunk *chunk;
    bool any = false;
    TAILQ_FOREACH(chunk, &pool->chunks, in_pool) {
        if (!chunk->is_loss_noted && mb_lease_end_reason(chunk->lease) != MB_END_NONE) {
            span_withdraw_chunk(chunk);
            chunk->is_loss_noted = any = true;
        }
    }
    return any;
}

static void take_other_tag(struct heap *heap)
{
    uint16_t tag = tag_take_after(heap->newest_tag);
    heap->newest_tag = tag == TAG_NONE ? heap->newest_tag : tag;
    atomic_store_explicit(&heap->tag, tag, memory_order_relaxed);
}

struct known_valid losses_note(struct heap *heap)
{
    (void)pthread_mutex_lock(&heap->lock);
    uint64_t epoch = atomic_load(&heap->client->epoch); /* before the leases: a later loss has a later epoch */
    bool any_small = note_in(&heap->small), any_large = note_in(&heap->large);
    if ((any_small || any_large) && heap_tag(heap) != TAG_NONE) {
        take_other_tag(heap);
    }
    const struct known_valid valid = {.epoch = epoch, .tag = heap_tag(heap)};
    (void)pthread_mutex_unlock(&heap->lock);
    return valid;
}
