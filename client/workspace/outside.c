/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks for spilled and pinned memory. */
#include "client/workspace/outside.h"

#include <errno.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/reclaim.h"

enum { PAGE_BYTES = 4096, CHUNK_BYTES_MIN = 256 << 10, CHUNK_BYTES_MAX = 64 << 20 };

/* ---- chunks ---- */

static int lease_chunk(struct outside *outside, uint64_t bytes, uint64_t wished, struct outside_chunk *chunk)
{
    void *address;
    int result = -ENOMEM;
    if (wished > bytes) {
        result = reclaim_try(outside->client, wished, outside->options, &chunk->lease, &address);
    }
    if (result == -ENOMEM || result == -ENOSPC) {
        wished = bytes;
        result = reclaim_acquire(outside->client, bytes, outside->options, &chunk->lease, &address);
    }
    if (result == 0) {
        chunk->base = address;
        chunk->bytes = wished;
    }
    return result;
}

/* Each chunk is twice the last, so that a cycle that spills much needs few. */
static struct outside_chunk *add_chunk(struct outside *outside, struct outside_area *area, uint64_t bytes)
{
    uint64_t wished = area->chunk_bytes ? area->chunk_bytes * 2 : CHUNK_BYTES_MIN;
    if (wished > CHUNK_BYTES_MAX) {
        wished = CHUNK_BYTES_MAX;
    }
    struct outside_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk) {
        (void)error_set(-ENOMEM, "out of memory for the library's own tables");
        return NULL;
    }
    if (lease_chunk(outside, bytes, wished, chunk) < 0) {
        free(chunk);
        return NULL;
    }
    if (bytes <= wished) {
        area->chunk_bytes = wished;
    }
    SLIST_INSERT_HEAD(&area->chunks, chunk, next);
    outside->leased_bytes += chunk->bytes;
    if (outside->catch_misuse) {
        misuse_dead(chunk->base, chunk->bytes);
    }
    return chunk;
}

static void free_area(struct outside *outside, struct outside_area *area)
{
    TAILQ_REMOVE(&outside->areas, area, in_list);
    while (!SLIST_EMPTY(&area->chunks)) {
        struct outside_chunk *chunk = SLIST_FIRST(&area->chunks);
        SLIST_REMOVE_HEAD(&area->chunks, next);
        outside->leased_bytes -= chunk->bytes;
        if (outside->catch_misuse) {
            misuse_forget(chunk->base, chunk->bytes);
        }
        lease_drop(chunk->lease);
        free(chunk);
    }
    free(area);
}

/* ---- allocating ---- */

static struct outside_area *find_area(struct outside *outside, bool pinned, uint64_t step)
{
    struct outside_area *area;
    TAILQ_FOREACH(area, &outside->areas, in_list) {
        if (area->pinned == pinned && area->step == step) {
            return area;
        }
    }
    area = calloc(1, sizeof *area);
    if (!area) {
        (void)error_set(-ENOMEM, "out of memory for the library's own tables");
        return NULL;
    }
    area->pinned = pinned;
    area->step = step;
    area->serial = ++outside->last_serial;
    SLIST_INIT(&area->chunks);
    TAILQ_INSERT_TAIL(&outside->areas, area, in_list);
    return area;
}

static char *align(char *address, uint64_t alignment)
{
    return address + (-(uintptr_t)address & (alignment - 1));
}

/* `bytes` at `alignment` from the newest chunk, or from a new one. */
static char *bump(struct outside *outside, struct outside_area *area, uint64_t bytes, uint64_t alignment)
{
    char *address = align(area->next, alignment);
    if (area->next && address <= area->end && bytes <= (uint64_t)(area->end - address)) {
        area->next = address + bytes;
        return address;
    }
    const struct outside_chunk *chunk = add_chunk(outside, area, bytes);
    if (!chunk) {
        return NULL;
    }
    uint64_t left = area->next ? (uint64_t)(area->end - area->next) : 0;
    if (chunk->bytes - bytes >= left) { /* else what is left in the chunk before is the better room */
        area->next = chunk->base + bytes;
        area->end = chunk->base + chunk->bytes;
    }
    return chunk->base;
}

/* Between two guard pages, its end at the second one. */
static void *guarded(struct outside *outside, struct outside_area *area, uint64_t bytes, uint64_t alignment)
{
    uint64_t aligned = (bytes + alignment - 1) & ~(alignment - 1);
    uint64_t pages = (aligned + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    char *address = bump(outside, area, pages + (uint64_t)2 * PAGE_BYTES, PAGE_BYTES);
    if (!address) {
        return NULL;
    }
    char *end = address + PAGE_BYTES + pages;
    misuse_guard(address, PAGE_BYTES);
    misuse_guard(end, PAGE_BYTES);
    char *data = end - bytes;
    data -= (uintptr_t)data & (alignment - 1);
    misuse_alive(data, bytes, true);
    return data;
}

void *outside_alloc(struct outside *outside, bool pinned, uint64_t step, uint64_t bytes, uint64_t alignment)
{
    struct outside_area *area = find_area(outside, pinned, step);
    if (!area) {
        return NULL;
    }
    bytes = bytes ? bytes : alignment;
    void *data =
        outside->catch_misuse ? guarded(outside, area, bytes, alignment) : bump(outside, area, bytes, alignment);
    if (data) {
        area->bytes += bytes;
        area->count++;
    } else if (SLIST_EMPTY(&area->chunks)) {
        int error = errno;
        free_area(outside, area);
        errno = error;
    }
    return data;
}

/* Before the memory goes: another thread's reference must not find it good afterwards. */
static void note_end(struct outside *outside, const struct outside_area *area)
{
    atomic_store(area->pinned ? &outside->ends->pinned : &outside->ends->spilled, area->serial);
}

void outside_free(struct outside *outside, bool spills, uint64_t before)
{
    struct outside_area *area = TAILQ_FIRST(&outside->areas);
    while (area) {
        struct outside_area *next = TAILQ_NEXT(area, in_list);
        if (area->step < before || (spills && !area->pinned)) {
            note_end(outside, area);
            free_area(outside, area);
        }
        area = next;
    }
}

void outside_free_all(struct outside *outside)
{
    outside_free(outside, true, UINT64_MAX);
}

static mb_lease *lease_at(const struct outside_area *area, const char *address)
{
    const struct outside_chunk *chunk;
    SLIST_FOREACH(chunk, &area->chunks, next)
    {
        if (address >= chunk->base && address < chunk->base + chunk->bytes) {
            return chunk->lease;
        }
    }
    return NULL;
}

const struct outside_area *outside_find(const struct outside *outside, const void *address, mb_lease **ret_lease)
{
    const struct outside_area *area;
    TAILQ_FOREACH_REVERSE(area, &outside->areas, outside_list, in_list)
    {
        mb_lease *lease = lease_at(area, address);
        if (lease) {
            if (ret_lease) {
                *ret_lease = lease;
            }
            return area;
        }
    }
    return NULL;
}

void outside_sum(const struct outside *outside, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count)
{
    const struct outside_area *area;
    *ret_bytes = *ret_count = 0;
    TAILQ_FOREACH(area, &outside->areas, in_list) {
        if (area->pinned == pinned) {
            *ret_bytes += area->bytes;
            *ret_count += area->count;
        }
    }
}
