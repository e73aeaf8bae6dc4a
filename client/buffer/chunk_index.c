/* SPDX-License-Identifier: Apache-2.0 */
/* A sorted table. It changes only when a chunk is leased or released. */
#include "client/buffer/chunk_index.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 64 };

/* Room for one more. False: out of memory. */
static bool reserve(struct chunk_index *index)
{
    if (index->count < index->capacity) {
        return true;
    }
    uint32_t capacity = index->capacity ? index->capacity * 2 : CAPACITY_FIRST;
    struct chunk_range *ranges = realloc(index->ranges, capacity * sizeof *ranges);
    if (ranges) {
        index->ranges = ranges;
        index->capacity = capacity;
    }
    return ranges;
}

/* The first range that ends beyond the address; `count`: there is none. */
static uint32_t search(const struct chunk_index *index, uintptr_t address)
{
    uint32_t low = 0, high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->ranges[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool chunk_index_add(struct chunk_index *index, struct chunk *chunk, const void *start, uint64_t bytes)
{
    if (!reserve(index)) {
        return false;
    }
    struct chunk_range *range = index->ranges + search(index, (uintptr_t)start);
    memmove(range + 1, range, (size_t)(index->ranges + index->count - range) * sizeof *range);
    *range = (struct chunk_range){.start = (uintptr_t)start, .end = (uintptr_t)start + bytes, .chunk = chunk};
    index->count++;
    return true;
}

void chunk_index_remove(struct chunk_index *index, const void *start)
{
    uint32_t at = search(index, (uintptr_t)start);
    if (at < index->count && index->ranges[at].start == (uintptr_t)start) {
        struct chunk_range *range = index->ranges + at;
        index->count--;
        memmove(range, range + 1, (index->count - at) * sizeof *range);
    }
}

struct chunk *chunk_index_find(const struct chunk_index *index, const void *address)
{
    uint32_t at = search(index, (uintptr_t)address);
    bool is_inside = at < index->count && index->ranges[at].start <= (uintptr_t)address;
    return is_inside ? index->ranges[at].chunk : NULL;
}

void chunk_index_close(struct chunk_index *index)
{
    free(index->ranges);
    *index = (struct chunk_index){0};
}
