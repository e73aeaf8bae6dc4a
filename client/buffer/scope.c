/* SPDX-License-Identifier: Apache-2.0 */
/* Buffer scopes: buffers that a thread makes in one are released at its end. */
#include "client/buffer/cache.h"
#include "client/buffer/scope_list.h"
#include "client/thread.h"

void mb_buffer_scope_begin(mb_buffer_scope *scope)
{
    struct thread *thread = thread_get();
    *scope = (mb_buffer_scope){.outer = thread ? thread->buffer_scope : NULL};
    if (thread) {
        thread->buffer_scope = scope;
        cache_update(thread);
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
        scope_list_remove(buffer);
        (void)mb_buffer_unref(buffer);
    }
    if (thread_self && thread_self->buffer_scope == scope) {
        thread_self->buffer_scope = scope->outer;
        cache_update(thread_self);
    }
}

mb_buffer *mb_buffer_keep(mb_buffer *buffer)
{
    if (buffer_has(buffer, BUFFER_SCOPED)) {
        scope_list_remove(buffer);
    }
    return buffer;
}
