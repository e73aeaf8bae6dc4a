/* SPDX-License-Identifier: Apache-2.0 */
/* When idle chunks are looked at. */
#include "client/buffer/heap.h"

#include "client/client.h"
#include "client/clock.h"

bool heap_plan_look(struct heaps *heaps, uint64_t due)
{
    uint64_t before = atomic_load(&heaps->idle_at);
    while (due < before) {
        if (atomic_compare_exchange_weak(&heaps->idle_at, &before, due)) {
            return true;
        }
    }
    return false;
}

uint64_t heap_next_look(const struct heaps *heaps)
{
    return atomic_load(&heaps->idle_at);
}

void heap_plan_return(struct heap *heap)
{
    if (heap_next_look(heap->client->heaps) == UINT64_MAX &&
        heap_plan_look(heap->client->heaps, clock_milliseconds() + HEAP_IDLE_MS / 2)) {
        wakeup_send(heap->client);
    }
}

void heap_unlock(struct heap *heap)
{
    uint64_t idle_since = heap->idle_since;
    heap->idle_since = 0;
    (void)pthread_mutex_unlock(&heap->lock);
    if (idle_since && heap_plan_look(heap->client->heaps, idle_since + HEAP_IDLE_MS)) {
        wakeup_send(heap->client);
    }
}
