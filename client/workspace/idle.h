/* SPDX-License-Identifier: Apache-2.0 */
/* Giving back the arenas of workspaces that are not entered any more. */
#pragma once

#include "client/workspace/workspace.h"

/*
 * Gives back the arenas of this thread's workspaces that it did not enter for many cycles of others. `is_new`: the
 * broker has just asked; then the thread looks once more later, when more workspaces have become idle.
 */
void idle_trim_thread(struct thread *thread, bool is_new);

/* Notes which workspaces of the client were entered since the last call, in whichever thread. Takes the lock. */
void idle_note(mb_client *client, uint64_t now);

/* Gives back the arenas of those that were not entered since `before` (ms). Takes the lock. */
void idle_take(mb_client *client, uint64_t before);
