/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes: which workspace is the thread's current one. Entering, borrowing and scoping out push on the thread's stack;
 * leaving pops. In ND4J each workspace keeps the one before it, and loses it if scopes cross. Here crossing is an error
 * (divergence).
 */
#include <errno.h>
#include <string.h>

#include "client/error.h"
#include "client/location.h"
#include "client/misuse.h"
#include "client/workspace/arena.h"
#include "client/workspace/idle.h"
#include "client/workspace/own.h"
#include "client/workspace/stack.h"

/* ---- a cycle's begin ---- */

static void note_active(const mb_workspace *workspace)
{
    atomic_store_explicit(&workspace->origin->generation, workspace->cycle.generation, memory_order_relaxed);
    atomic_store_explicit(&workspace->origin->active, workspace->is_open, memory_order_release);
}

static void take_debug_mode(mb_workspace *workspace)
{
    mb_debug_mode mode = mb_get_debug_mode();
    workspace->bypasses = mode == MB_DEBUG_BYPASS_EVERYTHING;
    workspace->cycle.spill_everything = mode == MB_DEBUG_SPILL_EVERYTHING;
}

/* It was opened in debug mode BYPASS_EVERYTHING. */
static bool lacks_arena(const mb_workspace *workspace)
{
    return !workspace->lease && !workspace->bypasses && (workspace->cycle.size > 0 || workspace->file);
}

static int begin_cycle(mb_workspace *workspace)
{
    take_debug_mode(workspace);
    if (lacks_arena(workspace)) {
        int result = arena_resize(workspace, workspace->cycle.size);
        if (result < 0) {
            return result;
        }
    }
    if (workspace->lease) {
        int result = mb_lease_check(workspace->lease);
        if (result < 0) {
            return result;
        }
    }
    int result = stack_push(workspace->thread, SCOPE_ENTERED, workspace);
    if (result < 0) {
        return result;
    }
    workspace->is_open = true;
    if (workspace->bypasses) {
        cycle_bypass(&workspace->cycle);
    } else if (cycle_enter(&workspace->cycle)) {
        spill_free(&workspace->spill, true, 0);
    }
    arena_publish(workspace);
    note_active(workspace);
    return 0;
}

int mb_workspace_enter(mb_workspace *workspace)
{
    int result = own_check(workspace);
    if (result < 0) {
        return result;
    }
    if (workspace->thread->current == workspace) {
        *(workspace->is_borrowed ? &workspace->borrowed_again : &workspace->entered_again) += 1;
        return error_end(0);
    }
    if (workspace->is_open) {
        return error_set(-EBUSY, "workspace \"%s\" is open further out in this thread; borrow it, or leave it first",
                         workspace->name);
    }
    arena_seize(workspace);
    result = begin_cycle(workspace);
    if (result < 0) {
        arena_yield(workspace);
    }
    return error_end(result);
}

static int check_borrowing(const mb_workspace *workspace)
{
    if (!workspace->is_open) {
        return error_set(-EINVAL, "no scope of workspace \"%s\" is open, so that it can't be borrowed; enter it",
                         workspace->name);
    }
    if (workspace->is_borrowed) {
        return error_set(-EBUSY, "workspace \"%s\" is borrowed already, and can't be borrowed from a borrower",
                         workspace->name);
    }
    return workspace->lease ? mb_lease_check(workspace->lease) : 0;
}

int mb_workspace_borrow(mb_workspace *workspace)
{
    int result = own_check(workspace);
    result = result == 0 ? check_borrowing(workspace) : result;
    result = result == 0 ? stack_push(workspace->thread, SCOPE_BORROWED, workspace) : result;
    if (result == 0) {
        workspace->is_borrowed = true;
        workspace->borrowed_again = 0;
    }
    return error_end(result);
}

/* ---- a cycle's end ---- */

/* A circular arena's bytes stay valid after the cycle; a mapped one keeps them. */
static void end_bytes(mb_workspace *workspace)
{
    if (!workspace->catch_misuse || !workspace->base || workspace->cycle.rules.circular) {
        return;
    }
    if (!location_is_file(mb_lease_location(workspace->lease))) {
        misuse_poison(workspace->base, workspace->cycle.offset);
    }
    misuse_dead(workspace->base, workspace->cycle.size);
}

/* If it is refused the workspace goes on as it is. The thread keeps the error that it had. */
static void resize_quietly(mb_workspace *workspace, uint64_t size)
{
    char sentence[ERROR_SENTENCE_BYTES];
    int saved = errno;
    memcpy(sentence, workspace->thread->sentence, sizeof sentence);
    (void)arena_resize_learned(workspace, size);
    memcpy(workspace->thread->sentence, sentence, sizeof sentence);
    errno = saved;
}

static void end_cycle(mb_workspace *workspace)
{
    arena_sync(workspace);
    workspace->is_open = false;
    if (workspace->bypasses) {
        workspace->cycle.in_use = true;
        return;
    }
    if (workspace->lease) {
        mb_lease_report_use(workspace->lease, workspace->cycle.offset);
    }
    workspace->left_at = ++workspace->thread->cycles;
    end_bytes(workspace);
    struct cycle_orders orders = cycle_leave(&workspace->cycle);
    spill_free(&workspace->spill, orders.free_spills, orders.free_before);
    if (orders.resize) {
        resize_quietly(workspace, orders.new_size);
    }
}

static int not_current(const mb_workspace *workspace)
{
    const mb_workspace *current = workspace->thread->current;
    if (!workspace->is_open) {
        return error_set(-EINVAL, "no scope of workspace \"%s\" is open", workspace->name);
    }
    if (!current) {
        return error_set(-EINVAL,
                         "workspace \"%s\" can't be left while all workspaces are scoped out; call mb_scope_in()",
                         workspace->name);
    }
    return error_set(-EINVAL, "workspace \"%s\" can't be left before \"%s\", which was entered inside it",
                     workspace->name, current->name);
}

int mb_workspace_leave(mb_workspace *workspace)
{
    int result = own_check(workspace);
    if (result < 0) {
        return result;
    }
    struct thread *thread = workspace->thread;
    if (thread->current != workspace) {
        return not_current(workspace);
    }
    unsigned *again = workspace->is_borrowed ? &workspace->borrowed_again : &workspace->entered_again;
    if (*again > 0) {
        (*again)--;
        return 0;
    }
    enum scope_kind kind = thread->scopes[thread->scope_count - 1].kind;
    stack_pop(thread);
    if (kind == SCOPE_BORROWED) {
        workspace->is_borrowed = false;
        return 0;
    }
    end_cycle(workspace);
    arena_publish(workspace);
    note_active(workspace);
    arena_yield(workspace);
    uint32_t trims = atomic_load_explicit(&workspace->client->trim.asked_count, memory_order_relaxed);
    if (trims != thread->trims || thread->cycles == thread->trim_again_at) {
        idle_trim_thread(thread, trims != thread->trims);
        thread->trims = trims;
    }
    return 0;
}

/* ---- scoping out ---- */

int mb_scope_out(void)
{
    struct thread *thread = thread_get();
    return thread ? error_end(stack_push(thread, SCOPE_OUT, NULL)) : -ENOMEM;
}

int mb_scope_in(void)
{
    struct thread *thread = thread_self;
    if (!thread || thread->scope_count == 0) {
        return error_set(-EINVAL, "this thread has not scoped out of its workspaces");
    }
    const struct scope *newest = &thread->scopes[thread->scope_count - 1];
    if (newest->kind != SCOPE_OUT) {
        return error_set(-EINVAL, "the scope of workspace \"%s\" is open inside; leave it first",
                         newest->workspace->name);
    }
    stack_pop(thread);
    return 0;
}

mb_workspace *mb_workspace_current(void)
{
    return thread_self ? thread_self->current : NULL;
}

int mb_workspace_is_active(const mb_workspace *workspace)
{
    return workspace->is_open;
}

/* ---- scopes of a block ---- */

mb_workspace_scope mb_workspace_scope_newest(void)
{
    return (mb_workspace_scope){mb_workspace_current(), 0};
}

void mb_workspace_scope_end(mb_workspace_scope *scope)
{
    if (!scope->workspace) {
        (void)mb_scope_in();
    } else if (scope->workspace == mb_workspace_current()) { /* otherwise it may be closed: don't touch it */
        (void)mb_workspace_leave(scope->workspace);
    }
}
