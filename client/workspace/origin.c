/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the records of workspaces, and reuses those of closed ones. */
#include "client/workspace/origin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* This many records are closed before one is reused, so that an error can still tell the name of a closed one. */
enum { RESTING_MAX = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static STAILQ_HEAD(origin_list, origin) closed = STAILQ_HEAD_INITIALIZER(closed);
static unsigned closed_count;
static uint64_t last_number;

/* A thread that the child lacks may have held the lock, in the middle of a change of the list. */
static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    STAILQ_INIT(&closed);
    closed_count = 0;
}

__attribute__((constructor)) static void origin_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

struct origin *origin_new(const char *name, bool circular, pid_t process)
{
    struct origin *origin = NULL;
    (void)pthread_mutex_lock(&lock);
    if (closed_count > RESTING_MAX) {
        origin = STAILQ_FIRST(&closed);
        STAILQ_REMOVE_HEAD(&closed, in_closed);
        closed_count--;
    } else {
        origin = calloc(1, sizeof *origin);
    }
    if (origin) {
        memset(origin->name, 0, sizeof origin->name);
        (void)stpncpy(origin->name, name, sizeof origin->name - 1);
        origin->circular = circular;
        origin->process = process;
        atomic_store(&origin->generation, 0);
        atomic_store(&origin->active, false);
        atomic_store(&origin->position, 0);
        atomic_store(&origin->size, 0);
        atomic_store(&origin->ends.spilled, 0);
        atomic_store(&origin->ends.pinned, 0);
        atomic_store(&origin->workspace, ++last_number);
    }
    (void)pthread_mutex_unlock(&lock);
    return origin;
}

void origin_close(struct origin *origin)
{
    (void)pthread_mutex_lock(&lock);
    atomic_store(&origin->workspace, 0);
    atomic_store(&origin->active, false);
    STAILQ_INSERT_TAIL(&closed, origin, in_closed);
    closed_count++;
    (void)pthread_mutex_unlock(&lock);
}
