/* SPDX-License-Identifier: Apache-2.0 */
/* Two ways to see that a workspace is idle: its thread counts cycles, the background thread looks at the time. */
#include "client/workspace/idle.h"

#include "client/release.h"
#include "client/workspace/arena.h"

enum { IDLE_CYCLES = 64 };

/* Its bytes stay valid after a cycle. */
static bool keeps_bytes(const mb_workspace *workspace)
{
    return workspace->cycle.rules.circular || workspace->file;
}

void idle_trim_thread(struct thread *thread, bool is_new)
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
            arena_give_back(workspace); /* the next cycle acquires another lease */
            cycle_resized(&workspace->cycle, workspace->cycle.size);
            arena_publish(workspace);
        }
        arena_yield(workspace);
    }
}

void idle_note(mb_client *client, uint64_t now)
{
    mb_workspace *workspace;
    (void)pthread_mutex_lock(&client->lock);
    TAILQ_FOREACH(workspace, &client->workspaces, in_client) {
        uint64_t generation = atomic_load_explicit(&workspace->origin->generation, memory_order_relaxed);
        if (generation != workspace->seen_generation || !workspace->seen_at) {
            workspace->seen_generation = generation;
            workspace->seen_at = now;
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
}

/* The owner thread finishes the clean-up when it next enters the workspace. */
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

/* The client's lock is held, so that the workspace is not closed meanwhile. NULL: no more are idle. */
static mb_lease *take_first_idle(mb_client *client, uint64_t before)
{
    mb_workspace *workspace;
    TAILQ_FOREACH(workspace, &client->workspaces, in_client) {
        uint64_t generation = atomic_load_explicit(&workspace->origin->generation, memory_order_relaxed);
        bool is_idle = generation == workspace->seen_generation && workspace->seen_at <= before;
        bool may_go = is_idle && !keeps_bytes(workspace) &&
                      !workspace->catch_misuse; /* in misuse mode only the owner may unmark it */
        mb_lease *lease = may_go ? take_away(workspace) : NULL;
        if (lease) {
            return lease;
        }
    }
    return NULL;
}

void idle_take(mb_client *client, uint64_t before)
{
    mb_lease *lease;
    do {
        (void)pthread_mutex_lock(&client->lock);
        lease = take_first_idle(client, before);
        (void)pthread_mutex_unlock(&client->lock);
        release_give_back(lease);
    } while (lease);
}
