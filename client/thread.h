/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library keeps for each thread: its workspaces, which of them is current, its buffer scopes and its cache of
 * small buffers. A thread that ends closes its workspaces.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "client/error.h"
#include "membroker.h"

TAILQ_HEAD(workspace_list, mb_workspace);

enum scope_kind { SCOPE_ENTERED, SCOPE_BORROWED, SCOPE_OUT };

struct scope {
    enum scope_kind kind;
    mb_workspace *workspace; /* NULL: SCOPE_OUT, or it was closed */
};

struct thread {
    mb_workspace *current; /* of the newest scope; NULL: none */
    struct scope *scopes;  /* the newest last */
    size_t scope_count, scope_capacity;
    struct workspace_list workspaces; /* in the order of their opening */
    mb_buffer_scope *buffer_scope;    /* the innermost */
    struct buffer_cache *cache;       /* NULL: none yet */
    uint64_t cycles;                  /* of its workspaces, ended */
    uint64_t trim_again_at;           /* this many cycles; 0: not */
    uint32_t trims;                   /* of the client left last, that were answered */
    unsigned reclaiming;              /* the reclaim hook runs in this thread */
    char sentence[ERROR_SENTENCE_BYTES];
};

/* A pointer, and no more of the kind: small enough for the room that the loader keeps for libraries that are loaded
 * late (JVM, Python). */
extern _Thread_local struct thread *thread_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Whether this process is that one: without a system call, once thread_get() was called in it. */
bool thread_process_is(pid_t process);

/* The calling thread's; NULL when memory is short, and then mb_last_error() says so. */
struct thread *thread_get(void);

/*
 * How a call that may fail ends: what it succeeded in leaves no sentence of an error before. Returns `result`. Not for
 * calls that give back: a clean-up after an error must not lose its sentence.
 */
static inline int error_end(int result)
{
    if (result >= 0 && thread_self) {
        thread_self->sentence[0] = '\0';
    }
    return result;
}
