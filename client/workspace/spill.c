/* SPDX-License-Identifier: Apache-2.0 */
/* Leases chunks for spilled and pinned memory, and bumps in them. */
#include "client/workspace/spill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"
#include "client/misuse.h"
#include "client/reclaim.h"
#include "client/release.h"

enum { PAGE_BYTES = 4096, CHUNK_BYTES_MIN = 256 << 10, CHUNK_BYTES_MAX = 64 << 20 };

/* ---- chunks ---- */

static int lease_chunk(struct spill *spill, uint64_t bytes, uint64_t wished, struct spill_chunk *chunk)
{
    void *address;
    int result = -ENOMEM;
    if (wished > bytes) {
        result = reclaim_try(spill->client, wished, spill->options, &chunk->lease, &address);
    }
    if (result == -ENOMEM || result == -ENOSPC) {
        wished = bytes;
        result = reclaim_acquire(spill->client, bytes, spill->options, &chunk->lease, &address);
    }
    if (result == 0) {
        chunk->base = address;
        chunk->bytes = wished;
        chunk->is_zero = !chunk->lease->has_old_content;
    }
    return result;
}

/* Each chunk is twice as large as the last, so that a cycle that spills much needs few. */
static struct spill_chunk *add_chunk(struct spill *spill, struct spill_area *area, uint64_t bytes)
{
    uint64_t wished = area->chunk_bytes ? area->chunk_bytes * 2 : CHUNK_BYTES_MIN;
    if (wished > CHUNK_BYTES_MAX) {
        wished = CHUNK_BYTES_MAX;
    }
    struct spill_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk) {
        (void)error_no_memory();
        return NULL;
    }
    if (lease_chunk(spill, bytes, wished, chunk) < 0) {
        free(chunk);
        return NULL;
    }
    if (bytes <= wished) {
        area->chunk_bytes = wished;
    }
    SLIST_INSERT_HEAD(&area->chunks, chunk, next);
    spill->leased_bytes += chunk->bytes;
    if (spill->catch_misuse) {
        misuse_dead(chunk->base, chunk->bytes);
    }
    return chunk;
}

static void free_area(struct spill *spill, struct spill_area *area)
{
    TAILQ_REMOVE(&spill->areas, area, in_list);
    while (!SLIST_EMPTY(&area->chunks)) {
        struct spill_chunk *chunk = SLIST_FIRST(&area->chunks);
        SLIST_REMOVE_HEAD(&area->chunks, next);
        spill->leased_bytes -= chunk->bytes;
        if (spill->catch_misuse) {
            misuse_forget(chunk->base, chunk->bytes);
        }
        release_drop(chunk->lease);
        free(chunk);
    }
    free(area);
}

/* ---- allocating ---- */

static struct spill_area *find_area(struct spill *spill, bool pinned, uint64_t step)
{
    struct spill_area *area;
    TAILQ_FOREACH(area, &spill->areas, in_list) {
        if (area->pinned == pinned && area->step == step) {
            return area;
        }
    }
    area = calloc(1, sizeof *area);
    if (!area) {
        (void)error_no_memory();
        return NULL;
    }
    area->pinned = pinned;
    area->step = step;
    area->serial = ++spill->last_serial;
    SLIST_INIT(&area->chunks);
    TAILQ_INSERT_TAIL(&spill->areas, area, in_list);
    return area;
}

static char *align(char *address, uint64_t alignment)
{
    return address + (-(uintptr_t)address & (alignment - 1));
}

/* `bytes` at `alignment` from the newest chunk, or from a new one. Says whether they are zero. */
static char *bump(struct spill *spill, struct spill_area *area, uint64_t bytes, uint64_t alignment, bool *ret_is_zero)
{
    char *address = align(area->next, alignment);
    if (area->next && address <= area->end && bytes <= (uint64_t)(area->end - address)) {
        area->next = address + bytes;
        *ret_is_zero = area->room_is_zero;
        return address;
    }
    const struct spill_chunk *chunk = add_chunk(spill, area, bytes);
    if (!chunk) {
        return NULL;
    }
    uint64_t left = area->next ? (uint64_t)(area->end - area->next) : 0;
    if (chunk->bytes - bytes >= left) { /* otherwise the previous chunk has more room left */
        area->next = chunk->base + bytes;
        area->end = chunk->base + chunk->bytes;
        area->room_is_zero = chunk->is_zero;
    }
    *ret_is_zero = chunk->is_zero;
    return chunk->base;
}

/* Allocates between two guard pages, and ends at the second one. */
static void *guarded(struct spill *spill, struct spill_area *area, uint64_t bytes, uint64_t alignment)
{
    uint64_t aligned = (bytes + alignment - 1) & ~(alignment - 1);
    uint64_t pages = (aligned + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    bool is_zero; /* it always is: in misuse mode no lease serves again */
    char *address = bump(spill, area, pages + (uint64_t)2 * PAGE_BYTES, PAGE_BYTES, &is_zero);
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

static void *unguarded(struct spill *spill, struct spill_area *area, uint64_t bytes, uint64_t alignment, bool is_zeroed)
{
    bool is_zero;
    char *data = bump(spill, area, bytes, alignment, &is_zero);
    if (data && is_zeroed && !is_zero) {
        memset(data, 0, bytes);
    }
    return data;
}

void *spill_alloc(struct spill *spill, bool pinned, uint64_t step, uint64_t bytes, uint64_t alignment, bool is_zeroed)
{
    struct spill_area *area = find_area(spill, pinned, step);
    if (!area) {
        return NULL;
    }
    bytes = bytes ? bytes : alignment;
    void *data = spill->catch_misuse ? guarded(spill, area, bytes, alignment)
                                     : unguarded(spill, area, bytes, alignment, is_zeroed);
    if (data) {
        area->bytes += bytes;
        area->count++;
    } else if (SLIST_EMPTY(&area->chunks)) {
        int error = errno;
        free_area(spill, area);
        errno = error;
    }
    return data;
}

/* Call it before the memory goes, so that no thread takes a reference for valid afterwards. */
static void note_end(struct spill *spill, const struct spill_area *area)
{
    atomic_store(area->pinned ? &spill->ends->pinned : &spill->ends->spilled, area->serial);
}

void spill_free(struct spill *spill, bool spills, uint64_t before)
{
    struct spill_area *area = TAILQ_FIRST(&spill->areas);
    while (area) {
        struct spill_area *next = TAILQ_NEXT(area, in_list);
        if (area->step < before || (spills && !area->pinned)) {
            note_end(spill, area);
            free_area(spill, area);
        }
        area = next;
    }
}

void spill_free_all(struct spill *spill)
{
    spill_free(spill, true, UINT64_MAX);
}

static mb_lease *lease_at(const struct spill_area *area, const char *address)
{
    const struct spill_chunk *chunk;
    SLIST_FOREACH(chunk, &area->chunks, next)
    {
        if (address >= chunk->base && address < chunk->base + chunk->bytes) {
            return chunk->lease;
        }
    }
    return NULL;
}

const struct spill_area *spill_find(const struct spill *spill, const void *address, mb_lease **ret_lease)
{
    const struct spill_area *area;
    TAILQ_FOREACH_REVERSE(area, &spill->areas, spill_list, in_list)
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

void spill_sum(const struct spill *spill, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count)
{
    const struct spill_area *area;
    *ret_bytes = *ret_count = 0;
    TAILQ_FOREACH(area, &spill->areas, in_list) {
        if (area->pinned == pinned) {
            *ret_bytes += area->bytes;
            *ret_count += area->count;
        }
    }
}
