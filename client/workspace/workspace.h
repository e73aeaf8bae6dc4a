/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a workspace: for the files of client/workspace/ and what takes a client or a thread down. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "client/client.h"
#include "client/holders.h"
#include "client/thread.h"
#include "client/workspace/cycle.h"
#include "client/workspace/origin.h"
#include "client/workspace/outside.h"

/* Who has the arena. The owner's thread does while a scope is open, and while it looks at it else; the library's
 * background thread for the moment that it takes to take the lease away. */
enum arena_holder { ARENA_FREE, ARENA_OWNED, ARENA_TAKEN };

struct mb_workspace {
    struct mb_workspace_arena arena; /* first: the header's inline allocation works on it */
    char *base;                      /* of the arena; NULL: there is none */
    mb_lease *lease;
    mb_location location; /* of the newest arena; as configured before the first */
    struct cycle cycle;
    struct outside outside;
    bool is_open;
    bool is_borrowed; /* implies is_open */
    bool bypasses;    /* entered while the debug mode was BYPASS_EVERYTHING */
    bool catch_misuse;
    uint64_t left_at;                       /* in the thread's cycles */
    unsigned entered_again, borrowed_again; /* while it was current already */
    uint64_t sizings, sizings_refused;
    uint64_t total_spilled_bytes, total_spilled_count, total_pinned_bytes, total_pinned_count;
    mb_buffer **bypassed; /* what was allocated while it did nothing */
    size_t bypassed_count, bypassed_capacity;
    _Atomic uint64_t held_bytes; /* leased for it; any thread may look */
    _Atomic uint32_t holder;     /* enum arena_holder: whose `lease` and `base` are */
    bool lease_is_lent;          /* the program has seen it: only its own thread takes it away */
    uint64_t seen_generation;    /* when it was looked at whether it is idle; with the client's lock held */
    uint64_t seen_at;            /* ms: it has not been entered since */
    mb_client *client;
    struct thread *thread;
    struct origin *origin;
    mb_workspace_config config; /* with what was left to a default filled in; its file is `file` */
    mb_lease_options options;   /* of all its leases, but for the file */
    char *file;
    char name[MESSAGE_NAME_SIZE];
    TAILQ_ENTRY(mb_workspace) in_thread;
    TAILQ_ENTRY(mb_workspace) in_client;
};

/* ---- config.c ---- */

/* Checks a configuration and fills in what depends on the rest of it. -EINVAL with the sentence. */
int workspace_config_resolve(const char *name, const mb_workspace_config *config, mb_workspace_config *ret,
                             struct cycle_rules *ret_rules);
bool workspace_configs_are_equal(const mb_workspace_config *a, const mb_workspace_config *b);

/* ---- arena.c ---- */

/* Leases and maps an arena of `size` bytes and tells the cycle; 0: only gives the present one back. */
int arena_resize(mb_workspace *workspace, uint64_t size);

/* The same for a size that the workspace learned: the broker remembers it. */
int arena_resize_learned(mb_workspace *workspace, uint64_t size);

/* An arena of the size that the broker remembers for this name, if it remembers any. */
void arena_recall(mb_workspace *workspace);

/*
 * Gives back the arenas of this thread's workspaces that were not entered for many cycles of others. After a new wish
 * of the broker it is done once more, when those that nobody enters any more have become idle.
 */
void arenas_trim_idle(struct thread *thread, bool is_new);

/*
 * Around everything that touches the lease of a workspace, or its base, while none of its scopes may be open. In the
 * steady state an atomic exchange, and a store.
 */
void arena_seize(mb_workspace *workspace);
void arena_yield(mb_workspace *workspace);

/* Notes which workspaces were not entered since the last look. With the client's lock held. */
void arenas_look(mb_client *client, uint64_t now);

/*
 * Gives back the arenas of workspaces, whichever thread's they are, that were not entered since `before` (ms). Their
 * next cycle leases them anew. Takes the lock.
 */
void arenas_take_idle(mb_client *client, uint64_t before);

/* The cycle learns what was bumped; the bump pointers learn what the cycle allows. Around everything that asks the
 * cycle. */
void arena_sync(mb_workspace *workspace);
void arena_publish(mb_workspace *workspace);

/* In a forked child: nothing may be bumped in what was the parent's. */
void arenas_withdraw(struct thread *thread);

/* ---- workspace.c ---- */

/* -EPERM with the sentence when another thread than its own calls. */
int workspace_check_thread(const mb_workspace *workspace);
mb_workspace *workspace_find(const mb_client *client, const char *name); /* of this thread; client NULL: any */
void workspaces_close_all(struct thread *thread);

/* A client ends: its workspaces go, whichever thread's they are. */
void workspaces_drop(mb_client *client);
void workspaces_add_holders(mb_client *client, struct local_holder *holders);

/* ---- scope.c ---- */

/* The workspace is being closed: its scopes are forgotten. */
void scopes_forget(mb_workspace *workspace);

/* All of the thread's workspaces are. */
void scopes_forget_all(struct thread *thread);
void scopes_update_current(struct thread *thread);

/* ---- allocate.c ---- */
void bypassed_free(mb_workspace *workspace);

/* ---- reference.c ---- */

/* Brings the record up to what was bumped, where the calling thread is the owner's. */
void workspace_publish_position(const struct origin *origin);

/* Whether the lease below has ended; always false in another thread than the owner's. */
bool workspace_ref_is_lost(const mb_ref *ref);
