/* SPDX-License-Identifier: Apache-2.0 */
/* Making references; what the owner's thread knows of their memory beyond the record that all threads read. */
#include "client/buffer/buffer.h"
#include "client/workspace/workspace.h"

/* ---- making one ---- */

/* The newest first: that is what references are made of. */
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

static uint64_t outside_position(const mb_workspace *workspace, const char *at)
{
    const struct outside_area *area = outside_find(&workspace->outside, at, NULL);
    return area ? ref_position(area->pinned ? REF_PINNED : REF_SPILLED, area->serial)
                : bypassed_position(workspace, at);
}

/* What lies behind the offset was allocated before the last turn; where there are none, it is free. */
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
    return bytes == 0 ? ref_position(REF_EMPTY, 0) : outside_position(workspace, at);
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

/* ---- judging one ---- */

static mb_workspace *owned(const struct origin *origin)
{
    mb_workspace *workspace;
    if (thread_self && origin) {
        TAILQ_FOREACH(workspace, &thread_self->workspaces, in_thread) {
            if (workspace->origin == origin) {
                return workspace;
            }
        }
    }
    return NULL;
}

void workspace_publish_position(const struct origin *origin)
{
    mb_workspace *workspace = owned(origin);
    if (workspace) {
        arena_sync(workspace); /* nothing was bumped where no scope is open */
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
        (void)outside_find(&workspace->outside, ref->data, &lease);
        return lease;
    case REF_BYPASSED:
        return workspace->bypassed[ref_value(ref)]->span->chunk->lease;
    case REF_EMPTY:
    case REF_FOREIGN:
        break;
    }
    return NULL;
}

bool workspace_ref_is_lost(const mb_ref *ref)
{
    const mb_workspace *workspace = owned(ref->origin);
    const mb_lease *lease = workspace ? lease_below(workspace, ref) : NULL;
    return lease && mb_lease_end_reason(lease) != MB_END_NONE;
}
