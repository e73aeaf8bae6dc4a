/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a thread's record at its first use, and frees it when the thread ends. */
#include "client/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/layers.h"
#include "client/registry.h"

_Thread_local struct thread *thread_self;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;

static void thread_end(void *argument)
{
    struct thread *thread = argument;
    thread_self = thread;
    registry_lock(); /* so that no client ends meanwhile */
    layers_end_thread(thread);
    registry_unlock();
    free(thread);
    thread_self = NULL;
}

static _Atomic pid_t own_process;

bool thread_process_is(pid_t process)
{
    return atomic_load_explicit(&own_process, memory_order_relaxed) == process;
}

static void in_child(void)
{
    atomic_store(&own_process, getpid());
    if (thread_self) {
        layers_fork_child(thread_self);
    }
}

__attribute__((constructor)) static void thread_watch_forks(void)
{
    atomic_store(&own_process, getpid());
    (void)pthread_atfork(NULL, NULL, in_child);
}

static void make_key(void)
{
    key_error = pthread_key_create(&key, thread_end);
}

struct thread *thread_get(void)
{
    if (__builtin_expect(thread_self != NULL, 1)) {
        return thread_self;
    }
    (void)pthread_once(&once, make_key);
    struct thread *thread = key_error ? NULL : calloc(1, sizeof *thread);
    if (!thread || pthread_setspecific(key, thread) != 0) {
        free(thread);
        errno = ENOMEM;
        return NULL;
    }
    TAILQ_INIT(&thread->workspaces);
    thread_self = thread;
    return thread;
}
