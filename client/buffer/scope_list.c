/* SPDX-License-Identifier: Apache-2.0 */
/* A doubly linked list through the buffers' extras. */
#include "client/buffer/scope_list.h"

#include "client/buffer/extra.h"

bool scope_list_add(mb_buffer_scope *scope, mb_buffer *buffer)
{
    struct extra *extra = extra_of(buffer);
    mb_buffer *first = scope->first;
    if (!extra) {
        return false;
    }
    extra->scope = scope;
    extra->previous = NULL;
    extra->next = first;
    if (first) {
        first->extra->previous = buffer;
    }
    scope->first = buffer;
    buffer_set(buffer, BUFFER_SCOPED);
    return true;
}

void scope_list_remove(mb_buffer *buffer)
{
    struct extra *extra = buffer->extra;
    if (extra->next) {
        extra->next->extra->previous = extra->previous;
    }
    if (extra->previous) {
        extra->previous->extra->next = extra->next;
    } else {
        extra->scope->first = extra->next;
    }
    extra->scope = NULL;
    buffer_clear(buffer, BUFFER_SCOPED);
}
