/* SPDX-License-Identifier: Apache-2.0 */
/* A growing array of scopes. */
#include "client/workspace/stack.h"

#include <errno.h>
#include <stdlib.h>

#include "client/error.h"

static void update_current(struct thread *thread)
{
    thread->current = thread->scope_count ? thread->scopes[thread->scope_count - 1].workspace : NULL;
}

int stack_push(struct thread *thread, enum scope_kind kind, mb_workspace *workspace)
{
    if (thread->scope_count == thread->scope_capacity) {
        size_t capacity = thread->scope_capacity ? thread->scope_capacity * 2 : 16;
        struct scope *scopes = reallocarray(thread->scopes, capacity, sizeof *scopes);
        if (!scopes) {
            return error_no_memory();
        }
        thread->scopes = scopes;
        thread->scope_capacity = capacity;
    }
    thread->scopes[thread->scope_count++] = (struct scope){kind, workspace};
    update_current(thread);
    return 0;
}

void stack_pop(struct thread *thread)
{
    thread->scope_count--;
    update_current(thread);
}

void stack_remove(mb_workspace *workspace)
{
    struct thread *thread = workspace->thread;
    size_t kept = 0;
    for (size_t i = 0; i < thread->scope_count; i++) {
        if (thread->scopes[i].workspace != workspace) {
            thread->scopes[kept++] = thread->scopes[i];
        }
    }
    thread->scope_count = kept;
    update_current(thread);
}

void stack_clear(struct thread *thread)
{
    thread->scope_count = 0;
    update_current(thread);
}

void stack_free(struct thread *thread)
{
    free(thread->scopes);
    thread->scopes = NULL;
}
