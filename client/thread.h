/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's record of a thread: the newest error, its workspaces and scopes, its buffer scope, and its cache of
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
    struct workspace_list workspaces; /* in the order of opening */
    mb_buffer_scope *buffer_scope;    /* the innermost */
    struct buffer_cache *cache;       /* NULL: none yet */
    uint64_t cycles;                  /* that ended, of all its workspaces */
    uint64_t trim_again_at;           /* at this many cycles it looks for idle arenas; 0: never */
    uint32_t trims;                   /* wishes to trim that it acted on, of the client whose workspace it left last */
    unsigned reclaiming;              /* on_reclaim runs in this thread, this many times nested */
    const mb_wait_watch *wait_watch;  /* NULL: nobody watches its waits */
    char sentence[ERROR_SENTENCE_BYTES]; /* of the newest error; empty: there is none */
    struct refusal refusal;              /* if the newest error is one */
    mb_end_reason ended;                 /* why what the newest error is about ended; MB_END_NONE: it did not */
    uint64_t lost_lease;                 /* if the newest error is about one; 0: it is not */
};

/* One of two TLS pointers: libraries that are loaded with dlopen(), as by a JVM or Python, share a small static TLS
 * reserve. */
extern _Thread_local struct thread *thread_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Whether this process is `process`. No system call. */
bool thread_process_is(pid_t process);

/* The calling thread's record. NULL: out of memory; mb_last_error() says so too. */
struct thread *thread_get(void);

/*
 * Ends a call that may fail: if it succeeded, clears the sentence of an earlier error. Returns `result`. Calls that
 * give back memory don't use it, so that a clean-up keeps the sentence.
 */
static inline int error_end(int result)
{
    if (result >= 0 && thread_self) {
        thread_self->sentence[0] = '\0';
    }
    return result;
}
