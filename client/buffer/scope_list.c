/* SPDX-License-Identifier: Apache-2.0 */
/* A doubly linked list through the buffers. */
#include "client/buffer/scope_list.h"

void scope_list_add(mb_buffer_scope *scope, mb_buffer *buffer)
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

void scope_list_remove(mb_buffer *buffer)
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
