/* SPDX-License-Identifier: Apache-2.0 */
/* Makes references, and looks at the memory of those that the calling thread owns. */
#include "client/workspace/reference.h"

#include "client/buffer/buffer.h"
#include "client/workspace/arena.h"
#include "client/workspace/own.h"

/* ---- making one ---- */

/* Newest first: most references are made of the newest memory. */
static uint64_t bypassed_position(const mb_workspace *workspace, const char *at)
{
    for (size_t i = workspace->bypassed_count; i-- > 0;) {
        const char *data = mb_buffer_data(workspace->bypassed[i]);
        if (at >= data && at < data + mb_buffer_size(workspace->bypassed[i])) {
            return ref_position(REF_BYPASSED, i);
        }
    }
    return ref_position(REF_FOREIGN, 0);
}

static uint64_t position_outside_arena(const mb_workspace *workspace, const char *at)
{
    const struct spill_area *area = spill_find(&workspace->spill, at, NULL);
    return area ? ref_position(area->pinned ? REF_PINNED : REF_SPILLED, area->serial)
                : bypassed_position(workspace, at);
}

/* Bytes behind the offset were allocated before the last turn; before the first turn they are free. */
static uint64_t arena_position(const struct cycle *cycle, uint64_t offset, size_t bytes)
{
    uint64_t position = cycle->turned_bytes + offset;
    if (bytes == 0 || offset < cycle->offset) {
        return ref_position(REF_ARENA, position);
    }
    return cycle->rules.circular && cycle->turned_bytes > 0 ? ref_position(REF_ARENA, position - cycle->size)
                                                            : ref_position(REF_FOREIGN, 0);
}

static uint64_t position_of(const mb_workspace *workspace, const char *at, size_t bytes)
{
    if (workspace->base && at >= workspace->base && at < workspace->base + workspace->cycle.size) {
        return arena_position(&workspace->cycle, (uint64_t)(at - workspace->base), bytes);
    }
    return bytes == 0 ? ref_position(REF_EMPTY, 0) : position_outside_arena(workspace, at);
}

mb_ref mb_workspace_ref(mb_workspace *workspace, void *data, size_t bytes)
{
    mb_ref ref = {.data = data,
                  .bytes = bytes,
                  .origin = workspace->origin,
                  .workspace = workspace->origin->workspace,
                  .generation = workspace->cycle.generation};
    arena_seize(workspace);
    arena_sync(workspace);
    ref.position = position_of(workspace, data, bytes);
    arena_yield(workspace);
    return ref;
}

/* ---- looking at one ---- */

void reference_publish_position(const struct origin *origin)
{
    mb_workspace *workspace = own_of_origin(origin);
    if (workspace) {
        arena_sync(workspace); /* while no scope is open nothing was bumped */
        atomic_store_explicit(&workspace->origin->position, cycle_position(&workspace->cycle), memory_order_relaxed);
    }
}

static mb_lease *lease_below(const mb_workspace *workspace, const mb_ref *ref)
{
    mb_lease *lease = NULL;
    switch (ref_place(ref)) {
    case REF_ARENA:
        return workspace->lease;
    case REF_SPILLED:
    case REF_PINNED:
        (void)spill_find(&workspace->spill, ref->data, &lease);
        return lease;
    case REF_BYPASSED:
        return buffer_lease(workspace->bypassed[ref_value(ref)]);
    case REF_EMPTY:
    case REF_FOREIGN:
        break;
    }
    return NULL;
}

bool reference_is_lost(const mb_ref *ref)
{
    const mb_workspace *workspace = own_of_origin(ref->origin);
    const mb_lease *lease = workspace ? lease_below(workspace, ref) : NULL;
    return lease && mb_lease_end_reason(lease) != MB_END_NONE;
}
