/* SPDX-License-Identifier: Apache-2.0 */
/* A weak reference is a record that is cut from its buffer when the last strong reference goes. */
#include "client/buffer/weak.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/buffer/extra.h"
#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/thread.h"

struct mb_weak {
    unsigned references; /* the program's, and one of the buffer */
    pid_t owner;         /* a forked child has only a copy */
    mb_buffer *buffer;   /* NULL: gone */
};

/* One for the process: it is held for a few instructions, and only for buffers that have weak references. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A thread that the child lacks may have held it. */
static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL);
}

__attribute__((constructor)) static void weak_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

/* The buffer's only one, made if needed; NULL: out of memory. With the lock held. */
static mb_weak *weak_of(mb_buffer *buffer)
{
    struct extra *extra = extra_of(buffer);
    if (extra && !extra->weak) {
        extra->weak = calloc(1, sizeof *extra->weak);
        if (extra->weak) {
            *extra->weak = (mb_weak){.references = 1, .owner = getpid(), .buffer = buffer};
            buffer_set(buffer, BUFFER_WEAK);
        }
    }
    return extra ? extra->weak : NULL;
}

int mb_weak_create(mb_buffer *buffer, mb_weak **ret_weak)
{
    const mb_client *client = buffer_heap(buffer)->client;
    int result = thread_process_is(client->owner) ? 0 : owner_check(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&lock);
    mb_weak *weak = weak_of(buffer);
    if (weak) {
        weak->references++;
        *ret_weak = weak;
    }
    (void)pthread_mutex_unlock(&lock);
    return weak ? error_end(0) : error_no_memory();
}

mb_buffer *mb_weak_get(mb_weak *weak)
{
    if (!thread_process_is(weak->owner)) {
        return NULL;
    }
    (void)pthread_mutex_lock(&lock);
    mb_buffer *buffer = weak->buffer;
    if (buffer) {
        uint64_t state = buffer_state(buffer);
        while ((uint32_t)state > 0 &&
               !atomic_compare_exchange_weak_explicit(&buffer->state, &state, state + 1, memory_order_acq_rel,
                                                      memory_order_relaxed)) {
        }
        buffer = (uint32_t)state > 0 ? buffer : NULL;
    }
    (void)pthread_mutex_unlock(&lock);
    return buffer;
}

/* The record ends with the last reference of the program. With the lock held. */
static void drop(mb_weak *weak)
{
    weak->references--;
    if (weak->references == 1 && weak->buffer) {
        weak->buffer->extra->weak = NULL;
        weak->references = 0;
    }
    if (weak->references == 0) {
        free(weak);
    }
}

mb_weak *mb_weak_drop(mb_weak *weak)
{
    if (weak && thread_process_is(weak->owner)) {
        (void)pthread_mutex_lock(&lock);
        drop(weak);
        (void)pthread_mutex_unlock(&lock);
    }
    return NULL;
}

void weak_cut(mb_buffer *buffer)
{
    if (!thread_process_is(buffer_heap(buffer)->client->owner)) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    mb_weak *weak = buffer->extra->weak;
    if (weak) {
        weak->buffer = NULL;
        buffer->extra->weak = NULL;
        drop(weak);
    }
    (void)pthread_mutex_unlock(&lock);
    buffer_clear(buffer, BUFFER_WEAK);
}

bool weak_clear_unused(mb_buffer *buffer)
{
    (void)pthread_mutex_lock(&lock);
    bool is_unused = !buffer->extra->weak;
    (void)pthread_mutex_unlock(&lock);
    if (is_unused) {
        buffer_clear(buffer, BUFFER_WEAK);
    }
    return is_unused;
}
