/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted table with a version. Who reads looks at the version before and after, and reads again if it changed: that
 * is rare, since it changes only when a chunk is leased or released.
 */
#include "client/buffer/chunk_index.h"

#include <stdlib.h>

enum { CAPACITY_FIRST = 64 };

void chunk_index_init(struct chunk_index *index)
{
    *index = (struct chunk_index){.version = 0};
    (void)pthread_mutex_init(&index->lock, NULL);
}

void chunk_index_close(struct chunk_index *index)
{
    struct chunk_table *table = atomic_load(&index->table), *outgrown;
    for (; table; table = outgrown) {
        outgrown = table->outgrown;
        free(table);
    }
    (void)pthread_mutex_destroy(&index->lock);
}

static void copy(struct chunk_range *to, const struct chunk_range *from)
{
    atomic_store(&to->start, atomic_load(&from->start));
    atomic_store(&to->end, atomic_load(&from->end));
    atomic_store(&to->chunk, atomic_load(&from->chunk));
}

/* The table with room for one more; NULL: out of memory. With the lock. */
static struct chunk_table *reserve(struct chunk_index *index, uint32_t count)
{
    struct chunk_table *table = atomic_load(&index->table);
    if (table && count < table->capacity) {
        return table;
    }
    uint32_t capacity = table ? table->capacity * 2 : CAPACITY_FIRST;
    struct chunk_table *larger = calloc(1, sizeof *larger + capacity * sizeof *larger->ranges);
    if (larger) {
        larger->outgrown = table;
        larger->capacity = capacity;
        for (uint32_t i = 0; i < count; i++) {
            copy(&larger->ranges[i], &table->ranges[i]);
        }
        atomic_store(&index->table, larger);
    }
    return larger;
}

bool chunk_index_add(struct chunk_index *index, struct chunk *chunk, const void *start, uint64_t bytes)
{
    (void)pthread_mutex_lock(&index->lock);
    uint32_t at = atomic_load(&index->count);
    struct chunk_table *table = reserve(index, at);
    if (table) {
        (void)atomic_fetch_add(&index->version, 1);
        for (; at > 0 && atomic_load(&table->ranges[at - 1].start) > (uintptr_t)start; at--) {
            copy(&table->ranges[at], &table->ranges[at - 1]);
        }
        atomic_store(&table->ranges[at].start, (uintptr_t)start);
        atomic_store(&table->ranges[at].end, (uintptr_t)start + bytes);
        atomic_store(&table->ranges[at].chunk, chunk);
        (void)atomic_fetch_add(&index->count, 1);
        (void)atomic_fetch_add(&index->version, 1);
    }
    (void)pthread_mutex_unlock(&index->lock);
    return table;
}

void chunk_index_remove(struct chunk_index *index, const void *start)
{
    (void)pthread_mutex_lock(&index->lock);
    struct chunk_table *table = atomic_load(&index->table);
    uint32_t count = atomic_load(&index->count), at = 0;
    while (at < count && atomic_load(&table->ranges[at].start) != (uintptr_t)start) {
        at++;
    }
    if (at < count) {
        (void)atomic_fetch_add(&index->version, 1);
        for (; at + 1 < count; at++) {
            copy(&table->ranges[at], &table->ranges[at + 1]);
        }
        (void)atomic_fetch_sub(&index->count, 1);
        (void)atomic_fetch_add(&index->version, 1);
    }
    (void)pthread_mutex_unlock(&index->lock);
}

/* ---- finding ---- */

static struct chunk *search(const struct chunk_table *table, uint32_t count, uintptr_t address)
{
    uint32_t low = 0, high = count < table->capacity ? count : table->capacity;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (atomic_load_explicit(&table->ranges[middle].end, memory_order_acquire) <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_inside = low < count && low < table->capacity &&
                     atomic_load_explicit(&table->ranges[low].start, memory_order_acquire) <= address;
    return is_inside ? atomic_load_explicit(&table->ranges[low].chunk, memory_order_acquire) : NULL;
}

struct chunk *chunk_index_find(struct chunk_index *index, const void *address)
{
    for (;;) {
        uint32_t version = atomic_load_explicit(&index->version, memory_order_acquire);
        const struct chunk_table *table = atomic_load_explicit(&index->table, memory_order_acquire);
        uint32_t count = atomic_load_explicit(&index->count, memory_order_acquire);
        struct chunk *chunk = table ? search(table, count, (uintptr_t)address) : NULL;
        if (version % 2 == 0 && atomic_load_explicit(&index->version, memory_order_relaxed) == version) {
            return chunk;
        }
    }
}
