/* SPDX-License-Identifier: Apache-2.0 */
/* Buffer scopes: a list of what was made in them, in the thread that made it. */
#include <stdlib.h>

#include "client/buffer/buffer.h"
#include "client/buffer/cache.h"
#include "client/thread.h"

void buffer_scope_add(mb_buffer_scope *scope, mb_buffer *buffer)
{
    buffer->scope = scope;
    buffer->flags |= BUFFER_SCOPED;
    buffer->previous = NULL;
    buffer->next = scope->first;
    if (buffer->next) {
        buffer->next->previous = buffer;
    }
    scope->first = buffer;
}

void buffer_scope_remove(mb_buffer *buffer)
{
    if (buffer->next) {
        buffer->next->previous = buffer->previous;
    }
    if (buffer->previous) {
        buffer->previous->next = buffer->next;
    } else {
        buffer->scope->first = buffer->next;
    }
    buffer->scope = NULL;
    buffer->flags &= (uint16_t)~BUFFER_SCOPED;
}

void mb_buffer_scope_begin(mb_buffer_scope *scope)
{
    struct thread *thread = thread_get();
    *scope = (mb_buffer_scope){.outer = thread ? thread->buffer_scope : NULL};
    if (thread) {
        thread->buffer_scope = scope;
        buffer_cache_update(thread);
    }
}

mb_buffer_scope mb_buffer_scope_opened(mb_buffer_scope *scope)
{
    mb_buffer_scope_begin(scope);
    return *scope;
}

void mb_buffer_scope_end(mb_buffer_scope *scope)
{
    mb_buffer *buffer;
    while ((buffer = scope->first)) {
        buffer_scope_remove(buffer);
        (void)mb_buffer_unref(buffer);
    }
    if (thread_self && thread_self->buffer_scope == scope) {
        thread_self->buffer_scope = scope->outer;
        buffer_cache_update(thread_self);
    }
}

mb_buffer *mb_buffer_keep(mb_buffer *buffer)
{
    if (buffer->flags & BUFFER_SCOPED) {
        buffer_scope_remove(buffer);
    }
    return buffer;
}
