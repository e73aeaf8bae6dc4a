/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace's arena: its lease, and the bump pointers. */
#pragma once

#include "client/workspace/workspace.h"

/* Leases and maps an arena of `size` bytes and tells the cycle. 0: only gives the present one back. */
int arena_resize(mb_workspace *workspace, uint64_t size);

/* The same for a size that the workspace learned: the broker remembers it. */
int arena_resize_learned(mb_workspace *workspace, uint64_t size);

/* Leases an arena of the size that the broker remembers for this name, if it remembers any. */
void arena_recall(mb_workspace *workspace);

/* Gives the lease back to the broker; it is not kept for reuse. The cycle is told by the caller. */
void arena_give_back(mb_workspace *workspace);

/*
 * Call them around everything that touches a workspace's lease or base while none of its scopes may be open. In the
 * steady state they cost an atomic exchange and a store.
 */
void arena_seize(mb_workspace *workspace);
void arena_yield(mb_workspace *workspace);

/*
 * Call them around everything that asks the cycle. arena_sync() tells the cycle what was bumped; arena_publish() sets
 * the bump pointers to what the cycle allows.
 */
void arena_sync(mb_workspace *workspace);
void arena_publish(mb_workspace *workspace);

/* In a forked child: nothing may be bumped in the parent's arenas. */
void arena_withdraw_all(struct thread *thread);
