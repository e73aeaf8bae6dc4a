/* SPDX-License-Identifier: Apache-2.0 */
/* Allocating: the fast path, and what it falls back to. */
#define MB_NO_INLINE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/error.h"
#include "client/misuse.h"
#include "client/workspace/workspace.h"

enum { ALIGNMENT_MAX = 4096 };

/* ---- the debug mode ---- */

static _Atomic int debug_mode = -1; /* not asked for yet */

mb_debug_mode mb_get_debug_mode(void)
{
    int mode = atomic_load_explicit(&debug_mode, memory_order_relaxed);
    if (mode < 0) {
        const char *value = secure_getenv("MEMBROKER_DEBUG");
        mode = !value                             ? MB_DEBUG_DISABLED
               : strncmp(value, "spill", 5) == 0  ? MB_DEBUG_SPILL_EVERYTHING
               : strncmp(value, "bypass", 6) == 0 ? MB_DEBUG_BYPASS_EVERYTHING
                                                  : MB_DEBUG_DISABLED;
        atomic_store_explicit(&debug_mode, mode, memory_order_relaxed);
    }
    return (mb_debug_mode)mode;
}

void mb_set_debug_mode(mb_debug_mode mode)
{
    atomic_store_explicit(&debug_mode, (int)mode, memory_order_relaxed);
}

static void *too_large(size_t bytes)
{
    (void)error_set(-ENOMEM, "%zu bytes are more than any workspace can have", bytes);
    return NULL;
}

/* ---- BYPASS_EVERYTHING: tracked buffers, until the workspace is closed ---- */

static bool reserve_bypassed(mb_workspace *workspace)
{
    if (workspace->bypassed_count < workspace->bypassed_capacity) {
        return true;
    }
    size_t capacity = workspace->bypassed_capacity ? workspace->bypassed_capacity * 2 : 64;
    mb_buffer **bypassed = reallocarray(workspace->bypassed, capacity, sizeof(mb_buffer *));
    if (!bypassed) {
        (void)error_set(-ENOMEM, "out of memory for the library's own tables");
        return false;
    }
    workspace->bypassed = bypassed;
    workspace->bypassed_capacity = capacity;
    return true;
}

/* A buffer is aligned to 16 at least; for more there is room. */
static void *bypass(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer;
    if (bytes > INT64_MAX) {
        return too_large(bytes);
    }
    options.name = workspace->name;
    options.location = workspace->config.location;
    options.flags = flags;
    size_t room = alignment > CYCLE_ALIGNMENT ? bytes + alignment : bytes > 0 ? bytes : 1;
    if (!reserve_bypassed(workspace) || mb_buffer_create(workspace->client, room, &options, &buffer) < 0) {
        return NULL;
    }
    workspace->bypassed[workspace->bypassed_count++] = mb_buffer_keep(buffer);
    char *data = mb_buffer_data(buffer);
    return data + (-(uintptr_t)data & (alignment - 1));
}

void bypassed_free(mb_workspace *workspace)
{
    for (size_t i = 0; i < workspace->bypassed_count; i++) {
        (void)mb_buffer_unref(workspace->bypassed[i]);
    }
    free(workspace->bypassed);
    workspace->bypassed = NULL;
    workspace->bypassed_count = workspace->bypassed_capacity = 0;
}

/* ---- allocating ---- */

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
    return NULL;
}

static void *spill(mb_workspace *workspace, enum cycle_place place, uint64_t rounded, uint64_t alignment)
{
    bool pinned = place == CYCLE_PINNED;
    void *data = outside_alloc(&workspace->outside, pinned, workspace->cycle.steps, rounded, alignment);
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
        misuse_alive(data, bytes, mb_lease_location(workspace->lease) == MB_LOCATION_MMAP);
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
    return where == CYCLE_REFUSED ? full(workspace, bytes, rounded) : spill(workspace, where, rounded, alignment);
}

static void *closed(const mb_workspace *workspace)
{
    (void)error_set(-EINVAL, "no scope of workspace \"%s\" is open; enter it first", workspace->name);
    return NULL;
}

void *mb_workspace_alloc_aligned(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags)
{
    if (workspace_check_thread(workspace) < 0) {
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
        return bypass(workspace, bytes, alignment, flags);
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
    if (workspace_check_thread(workspace) == 0) {
        arena_seize(workspace);
        arena_sync(workspace);
        workspace->cycle.in_use = use != 0;
        arena_publish(workspace);
        arena_yield(workspace);
    }
}
