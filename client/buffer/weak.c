/* SPDX-License-Identifier: Apache-2.0 */
/* A weak reference is a record that is cut from its buffer when the last strong reference goes. */
#include "client/buffer/weak.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "client/buffer/extra.h"
#include "client/error.h"
#include "client/thread.h"

struct mb_weak {
    unsigned references; /* the program's, and one of the buffer */
    mb_buffer *buffer;   /* NULL: gone */
};

/* One for the process: it is held for a few instructions, and only for buffers that have weak references. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The buffer's only one, made if needed; NULL: out of memory. With the lock held. */
static mb_weak *weak_of(mb_buffer *buffer)
{
    struct extra *extra = extra_of(buffer);
    if (extra && !extra->weak) {
        extra->weak = calloc(1, sizeof *extra->weak);
        if (extra->weak) {
            *extra->weak = (mb_weak){.references = 1, .buffer = buffer};
            buffer_set(buffer, BUFFER_WEAK);
        }
    }
    return extra ? extra->weak : NULL;
}

int mb_weak_create(mb_buffer *buffer, mb_weak **ret_weak)
{
    (void)pthread_mutex_lock(&lock);
    mb_weak *weak = weak_of(buffer);
    if (weak) {
        weak->references++;
        *ret_weak = weak;
    }
    (void)pthread_mutex_unlock(&lock);
    return weak ? error_end(0) : error_set(-ENOMEM, "out of memory for the library's own tables");
}

mb_buffer *mb_weak_get(mb_weak *weak)
{
    (void)pthread_mutex_lock(&lock);
    mb_buffer *buffer = weak->buffer;
    if (buffer) {
        uint32_t references = atomic_load_explicit(&buffer->references, memory_order_relaxed);
        while (references > 0 &&
               !atomic_compare_exchange_weak_explicit(&buffer->references, &references, references + 1,
                                                      memory_order_acq_rel, memory_order_relaxed)) {
        }
        buffer = references > 0 ? buffer : NULL;
    }
    (void)pthread_mutex_unlock(&lock);
    return buffer;
}

/* With the lock held. */
static void drop(mb_weak *weak)
{
    if (--weak->references == 0) {
        free(weak);
    }
}

mb_weak *mb_weak_drop(mb_weak *weak)
{
    if (weak) {
        (void)pthread_mutex_lock(&lock);
        drop(weak);
        (void)pthread_mutex_unlock(&lock);
    }
    return NULL;
}

void weak_cut(mb_buffer *buffer)
{
    (void)pthread_mutex_lock(&lock);
    buffer->extra->weak->buffer = NULL;
    drop(buffer->extra->weak);
    buffer->extra->weak = NULL;
    (void)pthread_mutex_unlock(&lock);
    buffer_clear(buffer, BUFFER_WEAK);
}
