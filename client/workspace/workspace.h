/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a workspace. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "client/client.h"
#include "client/thread.h"
#include "client/workspace/cycle.h"
#include "client/workspace/origin.h"
#include "client/workspace/spill.h"

/* Who uses the lease and base of the arena now. */
enum arena_holder {
    ARENA_FREE,
    ARENA_OWNED, /* the owner's thread: while a scope is open, and while it looks */
    ARENA_TAKEN, /* another thread, for the moment that it needs to take the lease away */
};

struct mb_workspace {
    struct mb_workspace_arena arena; /* first: the header's inline allocation works on it */
    char *base;                      /* of the arena; NULL: there is none */
    mb_lease *lease;
    mb_location location; /* of the newest arena; as configured before the first */
    struct cycle cycle;
    struct spill spill;
    bool is_open;
    bool is_borrowed; /* implies is_open */
    bool bypasses;    /* entered while the debug mode was BYPASS_EVERYTHING */
    bool catch_misuse;
    uint64_t left_at;                       /* in the thread's cycles */
    unsigned entered_again, borrowed_again; /* while it was current already */
    uint64_t sizings, sizings_refused;
    uint64_t total_spilled_bytes, total_spilled_count, total_pinned_bytes, total_pinned_count;
    mb_buffer **bypassed; /* see bypass.h */
    size_t bypassed_count, bypassed_capacity;
    _Atomic uint64_t held_bytes; /* leased for it; any thread may read it */
    _Atomic uint32_t holder;     /* enum arena_holder */
    bool lease_is_lent;          /* the program has its pointer: only its own thread gives it back */
    uint64_t seen_generation;    /* at the last look for idle workspaces; guarded by the client's lock */
    uint64_t seen_at;            /* ms: when it was first seen in that generation */
    mb_client *client;
    struct thread *thread;
    struct origin *origin;
    mb_workspace_config config; /* with defaults filled in; its file is `file` */
    mb_lease_options options;   /* of all its leases, without the file */
    char *file;
    char name[MESSAGE_NAME_SIZE];
    TAILQ_ENTRY(mb_workspace) in_thread;
    TAILQ_ENTRY(mb_workspace) in_client;
};
