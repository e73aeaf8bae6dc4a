/* SPDX-License-Identifier: Apache-2.0 */
/* Leasing arenas, and the bump pointers that allocate in them. */
#include "client/workspace/arena.h"
#include "client/location.h"

#include <sched.h>

#include "client/misuse.h"
#include "client/reclaim.h"
#include "client/release.h"
#include "client/workspace/own.h"

/* Where the bump pointers stand while nothing may be bumped, so that an allocation of 0 bytes has an address. */
static _Alignas(CYCLE_ALIGNMENT) char nowhere[CYCLE_ALIGNMENT];

static bool may_bump(const mb_workspace *workspace)
{
    return workspace->base && !workspace->bypasses && workspace->is_open;
}

void arena_seize(mb_workspace *workspace)
{
    uint32_t holder = ARENA_FREE;
    if (workspace->is_open) {
        return; /* this thread has it already */
    }
    while (!atomic_compare_exchange_weak_explicit(&workspace->holder, &holder, ARENA_OWNED, memory_order_acquire,
                                                  memory_order_relaxed)) {
        if (holder == ARENA_TAKEN && !thread_process_is(workspace->client->owner)) {
            return; /* a forked child's copy: no other thread is left to yield it */
        }
        (void)sched_yield(); /* the other thread needs a few assignments */
        holder = ARENA_FREE;
    }
}

void arena_yield(mb_workspace *workspace)
{
    if (!workspace->is_open) {
        atomic_store_explicit(&workspace->holder, ARENA_FREE, memory_order_release);
    }
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
    bool is_aligned = workspace->cycle.offset % CYCLE_ALIGNMENT == 0; /* an allocation of 0 bytes begins there */
    arena->next = arena->end = nowhere;
    if (may_bump(workspace) && is_aligned) {
        uint64_t room = workspace->catch_misuse ? 0 : cycle_room(&workspace->cycle);
        arena->next = workspace->base + workspace->cycle.offset;
        arena->end = arena->next + (room & ~(uint64_t)(CYCLE_ALIGNMENT - 1));
    }
    atomic_store_explicit(&workspace->origin->position, cycle_position(&workspace->cycle), memory_order_relaxed);
    atomic_store_explicit(&workspace->origin->size, workspace->cycle.size, memory_order_relaxed);
    atomic_store_explicit(&workspace->held_bytes,
                          (workspace->lease ? mb_lease_bytes(workspace->lease) : 0) + workspace->spill.leased_bytes,
                          memory_order_relaxed);
}

void arena_withdraw_all(struct thread *thread)
{
    mb_workspace *workspace;
    TAILQ_FOREACH(workspace, &thread->workspaces, in_thread) {
        workspace->arena.next = workspace->arena.end = nowhere;
    }
}

void arena_give_back(mb_workspace *workspace)
{
    if (workspace->lease) {
        if (workspace->catch_misuse) {
            misuse_forget(workspace->base, workspace->cycle.size);
        }
        release_give_back(workspace->lease);
        workspace->lease = NULL;
        workspace->base = NULL;
        workspace->lease_is_lent = false;
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
    workspace->location = mb_lease_location(workspace->lease);
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
    arena_give_back(workspace); /* first, since the new one may need its room */
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

/* An arena of the right size ends the spills, so the leases that were kept for them become it, or make room for it. */
int arena_resize_learned(mb_workspace *workspace, uint64_t size)
{
    unsigned before = workspace->options.flags;
    workspace->options.flags |= workspace->client->options.flags & MB_CLIENT_NO_LEARNED_SIZES ? 0 : MB_LEASE_LEARNED;
    if (!lease_cache_has(workspace->client, size, &workspace->options)) {
        (void)lease_cache_empty(workspace->client);
    }
    int result = arena_resize(workspace, size);
    workspace->options.flags = before;
    return result;
}

/* Circular arenas consist of blocks, which a remembered size does not tell. */
void arena_recall(mb_workspace *workspace)
{
    const struct cycle_rules *rules = &workspace->cycle.rules;
    mb_lease_options options = workspace->options;
    void *address;
    mb_lease *lease;
    bool learns = rules->learning != CYCLE_LEARN_NONE && !rules->circular && !workspace->file;
    if (!learns || workspace->client->options.flags & MB_CLIENT_NO_LEARNED_SIZES ||
        location_is_file(options.location) || workspace->lease) {
        return;
    }
    options.flags |= MB_LEASE_USE_LEARNED;
    if (reclaim_try(workspace->client, 0, &options, &lease, &address) < 0) {
        return; /* nothing is remembered, or it does not fit now: the workspace learns */
    }
    uint64_t size = mb_lease_bytes(lease);
    workspace->lease = lease;
    workspace->base = address;
    workspace->location = mb_lease_location(lease);
    workspace->sizings++;
    cycle_remembered(&workspace->cycle, rules->max_size && rules->max_size < size ? rules->max_size : size);
    if (workspace->catch_misuse) {
        misuse_dead(workspace->base, size);
    }
}

int mb_workspace_initialize(mb_workspace *workspace)
{
    uint64_t size;
    int result = own_check(workspace);
    if (result < 0) {
        return result;
    }
    arena_seize(workspace);
    arena_sync(workspace);
    bool is_in_use = workspace->is_open && (workspace->lease || workspace->bypasses); /* its bytes must stay */
    if (!is_in_use && cycle_initialize(&workspace->cycle, &size)) {
        result = arena_resize_learned(workspace, size);
    }
    arena_publish(workspace);
    arena_yield(workspace);
    return error_end(result);
}
