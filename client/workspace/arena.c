/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace's arena: its lease, and the bump pointers. */
#include <errno.h>
#include <sched.h>

#include "client/error.h"
#include "client/misuse.h"
#include "client/reclaim.h"
#include "client/workspace/workspace.h"

/* Where the bump pointers stand while nothing may be bumped: an allocation of no bytes still has an address. */
static _Alignas(CYCLE_ALIGNMENT) char nowhere[CYCLE_ALIGNMENT];

static bool may_bump(const mb_workspace *workspace)
{
    return workspace->base && !workspace->bypasses && workspace->is_open;
}

void arena_seize(mb_workspace *workspace)
{
    uint32_t holder = ARENA_FREE;
    if (workspace->is_open) {
        return; /* it is ours already */
    }
    while (!atomic_compare_exchange_weak_explicit(&workspace->holder, &holder, ARENA_OWNED, memory_order_acquire,
                                                  memory_order_relaxed)) {
        if (holder == ARENA_TAKEN && !thread_process_is(workspace->client->owner)) {
            return; /* a forked child's copy: nobody is there to end it */
        }
        (void)sched_yield(); /* a few assignments of another thread */
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
    bool is_aligned = workspace->cycle.offset % CYCLE_ALIGNMENT == 0; /* an allocation of no bytes begins there */
    arena->next = arena->end = nowhere;
    if (may_bump(workspace) && is_aligned) {
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

void arenas_withdraw(struct thread *thread)
{
    mb_workspace *workspace;
    TAILQ_FOREACH(workspace, &thread->workspaces, in_thread) {
        workspace->arena.next = workspace->arena.end = nowhere;
    }
}

static void give_back(mb_workspace *workspace)
{
    if (workspace->lease) {
        if (workspace->catch_misuse) {
            misuse_forget(workspace->base, workspace->cycle.size);
        }
        lease_drop(workspace->lease);
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
    workspace->location = mb_lease_location(lease);
    workspace->sizings++;
    cycle_remembered(&workspace->cycle, rules->max_size && rules->max_size < size ? rules->max_size : size);
    if (workspace->catch_misuse) {
        misuse_dead(workspace->base, size);
    }
}

/* ---- trimming ---- */

enum { IDLE_CYCLES = 64 };

/* Its bytes outlive a cycle. */
static bool keeps_bytes(const mb_workspace *workspace)
{
    return workspace->cycle.rules.circular || workspace->file;
}

void arenas_trim_idle(struct thread *thread, bool is_new)
{
    mb_workspace *workspace;
    thread->trim_again_at = is_new ? thread->cycles + IDLE_CYCLES : 0;
    TAILQ_FOREACH(workspace, &thread->workspaces, in_thread) {
        bool in_use = workspace->is_open || keeps_bytes(workspace) || thread->cycles - workspace->left_at < IDLE_CYCLES;
        if (in_use) {
            continue;
        }
        arena_seize(workspace);
        if (workspace->lease) {
            give_back(workspace); /* the next cycle leases it anew */
            cycle_resized(&workspace->cycle, workspace->cycle.size);
            arena_publish(workspace);
        }
        arena_yield(workspace);
    }
}

void arenas_look(mb_client *client, uint64_t now)
{
    mb_workspace *workspace;
    TAILQ_FOREACH(workspace, &client->workspaces, in_client) {
        uint64_t generation = atomic_load_explicit(&workspace->origin->generation, memory_order_relaxed);
        if (generation != workspace->seen_generation || !workspace->seen_at) {
            workspace->seen_generation = generation;
            workspace->seen_at = now;
        }
    }
}

/* What is left, the next cycle of its thread does: it sees that the lease is gone. */
static mb_lease *take_away(mb_workspace *workspace)
{
    uint32_t holder = ARENA_FREE;
    mb_lease *lease = NULL;
    if (!atomic_compare_exchange_strong_explicit(&workspace->holder, &holder, ARENA_TAKEN, memory_order_acquire,
                                                 memory_order_relaxed)) {
        return NULL;
    }
    if (workspace->lease && !workspace->lease_is_lent) {
        lease = workspace->lease;
        workspace->lease = NULL;
        workspace->base = NULL;
        atomic_fetch_sub_explicit(&workspace->held_bytes, mb_lease_bytes(lease), memory_order_relaxed);
    }
    atomic_store_explicit(&workspace->holder, ARENA_FREE, memory_order_release);
    return lease;
}

/* With the client's lock held, so that it is not closed meanwhile. NULL: no more are idle. */
static mb_lease *take_first_idle(mb_client *client, uint64_t before)
{
    mb_workspace *workspace;
    TAILQ_FOREACH(workspace, &client->workspaces, in_client) {
        uint64_t generation = atomic_load_explicit(&workspace->origin->generation, memory_order_relaxed);
        bool is_idle = generation == workspace->seen_generation && workspace->seen_at <= before;
        bool may_go =
            is_idle && !keeps_bytes(workspace) && !workspace->catch_misuse; /* that is the owner's to unmark */
        mb_lease *lease = may_go ? take_away(workspace) : NULL;
        if (lease) {
            return lease;
        }
    }
    return NULL;
}

void arenas_take_idle(mb_client *client, uint64_t before)
{
    mb_lease *lease;
    do {
        (void)pthread_mutex_lock(&client->lock);
        lease = take_first_idle(client, before);
        (void)pthread_mutex_unlock(&client->lock);
        lease_drop(lease);
    } while (lease);
}

int mb_workspace_initialize(mb_workspace *workspace)
{
    uint64_t size;
    int result = workspace_check_thread(workspace);
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
