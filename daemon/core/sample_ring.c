/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/sample_ring.h"

#include "proto/base/size.h"

void sample_ring_open(struct sample_ring *ring, struct sample_record *records, uint32_t room, uint64_t before)
{
    *ring = (struct sample_ring){.records = records, .room = room, .first = UINT64_MAX};
    for (uint32_t i = 0; i < room; i++) {
        uint64_t number = atomic_load_explicit(&records[i].number, memory_order_acquire);
        ring->first = number ? size_min(ring->first, number) : ring->first;
        ring->last = size_max(ring->last, number);
    }
    if (!ring->last) {
        ring->last = before;
        ring->first = before + 1;
    }
}

static struct sample_record *record_of(const struct sample_ring *ring, uint64_t number)
{
    return &ring->records[number % ring->room];
}

void sample_ring_add(struct sample_ring *ring, const struct sample_entry *sample)
{
    uint64_t number = ring->last + 1;
    struct sample_record *record = record_of(ring, number);
    if (number - ring->first >= ring->room) {
        ring->first = number - ring->room + 1;
    }
    atomic_store_explicit(&record->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    record->sample = *sample;
    record->sample.sample = number;
    atomic_store_explicit(&record->number, number, memory_order_release);
    ring->last = number;
}

const struct sample_entry *sample_ring_next(const struct sample_ring *ring, uint64_t after)
{
    uint64_t number = after < ring->first ? ring->first : after + 1;
    if (!ring->room || number > ring->last) {
        return NULL;
    }
    /* one that the daemon before was killed in has no number: the one behind it is there */
    bool is_there = record_of(ring, number)->number == number;
    number += !is_there;
    return number <= ring->last ? &record_of(ring, number)->sample : NULL;
}
