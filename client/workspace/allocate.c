/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating: the fast path, and what it falls back to. */
#define MB_NO_INLINE
#include <errno.h>
#include <string.h>

#include "client/error.h"
#include "client/location.h"
#include "client/misuse.h"
#include "client/workspace/arena.h"
#include "client/workspace/bypass.h"
#include "client/workspace/own.h"

enum { ALIGNMENT_MAX = 4096 };

static void *too_large(size_t bytes)
{
    (void)error_set(-ENOMEM, "%zu bytes are more than any workspace can have", bytes);
    return NULL;
}

static void *full(const mb_workspace *workspace, size_t bytes, uint64_t rounded)
{
    const struct cycle *cycle = &workspace->cycle;
    (void)error_set(
        -ENOMEM,
        "%zu bytes (rounded up: %llu) don't fit workspace \"%s\", whose spill policy is FAIL: it has %llu "
        "bytes, of which %llu are used in this cycle and %llu are free; open it with a larger initial_size, or "
        "let it spill",
        bytes, (unsigned long long)rounded, workspace->name, (unsigned long long)cycle->size,
        (unsigned long long)cycle->offset, (unsigned long long)(cycle->size - cycle->offset));
    struct refusal figures = {.limit = "initial_size",
                              .whose = "workspace",
                              .asked_bytes = rounded,
                              .limit_bytes = cycle->size,
                              .used_bytes = cycle->offset,
                              .free_bytes = cycle->size - cycle->offset};
    error_add_figures(&figures);
    return NULL;
}

static void *place_spilled(mb_workspace *workspace, enum cycle_place place, uint64_t rounded, uint64_t alignment,
                           unsigned flags)
{
    bool pinned = place == CYCLE_PINNED;
    void *data = spill_alloc(&workspace->spill, pinned, workspace->cycle.steps, rounded, alignment, flags & MB_ZEROED);
    if (!data) {
        cycle_unplace(&workspace->cycle, place, rounded, alignment);
        return NULL;
    }
    *(pinned ? &workspace->total_pinned_bytes : &workspace->total_spilled_bytes) += rounded;
    *(pinned ? &workspace->total_pinned_count : &workspace->total_spilled_count) += 1;
    return data;
}

static void *inside(mb_workspace *workspace, uint64_t offset, size_t bytes, unsigned flags)
{
    char *data = workspace->base + offset;
    if (workspace->catch_misuse) {
        misuse_alive(data, bytes, location_is_file(mb_lease_location(workspace->lease)));
    }
    if (flags & MB_ZEROED) {
        memset(data, 0, bytes);
    }
    return data;
}

static void *place(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags)
{
    uint64_t offset, rounded = cycle_round(bytes);
    if (rounded > INT64_MAX) {
        return too_large(bytes);
    }
    enum cycle_place where = cycle_place(&workspace->cycle, rounded, alignment, &offset);
    if (where == CYCLE_INSIDE) {
        return inside(workspace, offset, bytes, flags);
    }
    return where == CYCLE_REFUSED ? full(workspace, bytes, rounded)
                                  : place_spilled(workspace, where, rounded, alignment, flags);
}

static void *closed(const mb_workspace *workspace)
{
    (void)error_set(-EINVAL, "no scope of workspace \"%s\" is open; enter it first", workspace->name);
    return NULL;
}

void *mb_workspace_alloc_aligned(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags)
{
    if (own_check(workspace) < 0) {
        return NULL;
    }
    if (!workspace->is_open) {
        return closed(workspace);
    }
    alignment = alignment < CYCLE_ALIGNMENT ? CYCLE_ALIGNMENT : alignment;
    if (alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)) || (flags & ~MB_ZEROED)) {
        (void)error_set(-EINVAL, "an alignment is a power of two of at most %d, and flags are 0 or MB_ZEROED",
                        ALIGNMENT_MAX);
        return NULL;
    }
    if (workspace->bypasses) {
        return bypass_alloc(workspace, bytes, alignment, flags);
    }
    arena_sync(workspace);
    void *data = place(workspace, bytes, alignment, flags);
    int error = errno;
    arena_publish(workspace);
    errno = error;
    return data;
}

void *mb_workspace_alloc_slow(mb_workspace *workspace, size_t bytes)
{
    return mb_workspace_alloc_aligned(workspace, bytes, CYCLE_ALIGNMENT, 0);
}

void *mb_workspace_alloc(mb_workspace *workspace, size_t bytes)
{
    struct mb_workspace_arena *arena = &workspace->arena;
    char *allocated = arena->next;
    if (__builtin_expect(bytes > (size_t)(arena->end - allocated), 0)) {
        return mb_workspace_alloc_slow(workspace, bytes);
    }
    arena->next = allocated + ((bytes + (MB_WORKSPACE_ALIGNMENT - 1)) & ~(size_t)(MB_WORKSPACE_ALIGNMENT - 1));
    return allocated;
}

void *mb_alloc(size_t bytes)
{
    if (__builtin_expect(!thread_self || !thread_self->current, 0)) {
        (void)error_set(-EINVAL, "no workspace is current in this thread; enter one, or make a buffer");
        return NULL;
    }
    return mb_workspace_alloc(thread_self->current, bytes);
}

void mb_workspace_toggle(mb_workspace *workspace, int use)
{
    if (own_check(workspace) == 0) {
        arena_seize(workspace);
        arena_sync(workspace);
        workspace->cycle.in_use = use != 0;
        arena_publish(workspace);
        arena_yield(workspace);
    }
}
