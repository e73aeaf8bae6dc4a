/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace's arena: its lease, and the bump pointers. */
#include <errno.h>

#include "client/error.h"
#include "client/misuse.h"
#include "client/reclaim.h"
#include "client/workspace/workspace.h"

/* Where the bump pointers stand while nothing may be bumped: an allocation of no bytes still has an address. */
static _Alignas(CYCLE_ALIGNMENT) char nowhere[CYCLE_ALIGNMENT];

static bool may_bump(const mb_workspace *workspace)
{
    return workspace->base && !workspace->bypasses && (workspace->is_open || workspace->is_borrowed);
}

void arena_sync(mb_workspace *workspace)
{
    if (workspace->arena.next && workspace->arena.next != nowhere) {
        cycle_advance(&workspace->cycle, (uint64_t)(workspace->arena.next - workspace->base));
    }
}

void arena_publish(mb_workspace *workspace)
{
    struct mb_workspace_arena *arena = &workspace->arena;
    arena->next = arena->end = nowhere;
    if (may_bump(workspace)) {
        uint64_t room = workspace->catch_misuse ? 0 : cycle_room(&workspace->cycle);
        arena->next = workspace->base + workspace->cycle.offset;
        arena->end = arena->next + (room & ~(uint64_t)(CYCLE_ALIGNMENT - 1));
    }
    atomic_store_explicit(&workspace->origin->position, cycle_position(&workspace->cycle), memory_order_relaxed);
    atomic_store_explicit(&workspace->origin->size, workspace->cycle.size, memory_order_relaxed);
    atomic_store_explicit(&workspace->held_bytes,
                          (workspace->lease ? mb_lease_bytes(workspace->lease) : 0) + workspace->outside.leased_bytes,
                          memory_order_relaxed);
}

static void give_back(mb_workspace *workspace)
{
    if (workspace->lease) {
        if (workspace->catch_misuse) {
            misuse_forget(workspace->base, workspace->cycle.size);
        }
        (void)mb_release(workspace->lease);
        workspace->lease = NULL;
        workspace->base = NULL;
    }
}

static int lease_arena(mb_workspace *workspace, uint64_t size)
{
    void *address;
    mb_lease_options options = workspace->options;
    options.file = workspace->file;
    int result = reclaim_acquire(workspace->client, size, &options, &workspace->lease, &address);
    if (result < 0) {
        workspace->sizings_refused++;
        return result;
    }
    if (workspace->file) {
        size = mb_lease_file_bytes(workspace->lease);
    }
    workspace->base = address;
    workspace->sizings++;
    cycle_resized(&workspace->cycle, size);
    if (workspace->catch_misuse) {
        misuse_dead(workspace->base, size);
    }
    return 0;
}

int arena_resize(mb_workspace *workspace, uint64_t size)
{
    uint64_t before = workspace->lease ? workspace->cycle.size : 0;
    give_back(workspace); /* first: the new one may need its room */
    int result = size > 0 || workspace->file ? lease_arena(workspace, size) : 0;
    bool has_none = !workspace->lease;
    if (result < 0 && before > 0) {
        has_none = lease_arena(workspace, before) < 0;
    }
    if (has_none) {
        cycle_resized(&workspace->cycle, 0);
    }
    return result;
}

int arena_resize_learned(mb_workspace *workspace, uint64_t size)
{
    workspace->options.flags = workspace->client->flags & MB_CLIENT_NO_LEARNED_SIZES ? 0 : MB_LEASE_LEARNED;
    int result = arena_resize(workspace, size);
    workspace->options.flags = 0;
    return result;
}

/* Circular arenas are made of blocks, which a size alone does not tell. */
void arena_recall(mb_workspace *workspace)
{
    const struct cycle_rules *rules = &workspace->cycle.rules;
    mb_lease_options options = workspace->options;
    void *address;
    mb_lease *lease;
    bool learns = rules->learning != CYCLE_LEARN_NONE && !rules->circular && !workspace->file;
    if (!learns || workspace->client->flags & MB_CLIENT_NO_LEARNED_SIZES || options.location == MB_LOCATION_MMAP ||
        workspace->lease) {
        return;
    }
    options.flags = MB_LEASE_USE_LEARNED;
    if (reclaim_try(workspace->client, 0, &options, &lease, &address) < 0) {
        return; /* nothing is remembered, or it does not fit now: it is learned */
    }
    uint64_t size = mb_lease_bytes(lease);
    workspace->lease = lease;
    workspace->base = address;
    workspace->sizings++;
    cycle_remembered(&workspace->cycle, rules->max_size && rules->max_size < size ? rules->max_size : size);
    if (workspace->catch_misuse) {
        misuse_dead(workspace->base, size);
    }
}

/* ---- trimming ---- */

enum { IDLE_CYCLES = 64 };

void arenas_trim_idle(struct thread *thread, bool is_new)
{
    mb_workspace *workspace;
    thread->trim_again_at = is_new ? thread->cycles + IDLE_CYCLES : 0;
    TAILQ_FOREACH(workspace, &thread->workspaces, in_thread) {
        bool in_use = workspace->is_open || workspace->is_borrowed || workspace->cycle.rules.circular ||
                      workspace->file || thread->cycles - workspace->left_at < IDLE_CYCLES;
        if (!in_use && workspace->lease) {
            give_back(workspace); /* the next cycle leases it anew */
            cycle_resized(&workspace->cycle, workspace->cycle.size);
            arena_publish(workspace);
        }
    }
}

int mb_workspace_initialize(mb_workspace *workspace)
{
    uint64_t size;
    int result = workspace_check_thread(workspace);
    if (result < 0) {
        return result;
    }
    arena_sync(workspace);
    if (cycle_initialize(&workspace->cycle, &size)) {
        result = arena_resize_learned(workspace, size);
    }
    arena_publish(workspace);
    return result;
}
