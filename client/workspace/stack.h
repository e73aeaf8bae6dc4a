/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's stack of open scopes. The newest scope's workspace is the current one. */
#pragma once

#include "client/workspace/workspace.h"

/* `workspace` is NULL for SCOPE_OUT. Returns 0, or -ENOMEM with the sentence set. */
int stack_push(struct thread *thread, enum scope_kind kind, mb_workspace *workspace);
void stack_pop(struct thread *thread);

/* The workspace is being closed: removes its scopes. */
void stack_remove(mb_workspace *workspace);

void stack_clear(struct thread *thread);

/* The thread ends: frees the stack. */
void stack_free(struct thread *thread);
