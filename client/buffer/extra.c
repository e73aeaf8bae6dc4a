/* SPDX-License-Identifier: Apache-2.0 */
/* A large buffer's extra lies beside its record, a small one's is allocated. */
#include "client/buffer/extra.h"

#include <stdlib.h>

#include "proto/base/text.h"

struct extra *extra_of(mb_buffer *buffer)
{
    if (!buffer_is_large(buffer) && !buffer_has(buffer, BUFFER_EXTRA)) {
        struct extra *extra = calloc(1, sizeof *extra);
        if (!extra) {
            return NULL;
        }
        extra->buffer = buffer;
        buffer->extra = extra;
        buffer_set(buffer, BUFFER_EXTRA);
    }
    return buffer->extra;
}

void extra_free(mb_buffer *buffer)
{
    if (buffer_has(buffer, BUFFER_EXTRA)) {
        free(buffer->extra);
        buffer->extra = NULL;
        buffer_clear(buffer, BUFFER_EXTRA);
    }
}

void extra_list(mb_buffer *buffer, const char *name)
{
    struct extra *extra = buffer->extra;
    extra->name[0] = '\0';
    if (name) {
        text_copy(extra->name, sizeof extra->name, name);
        buffer_set(buffer, BUFFER_NAMED);
    }
    TAILQ_INSERT_TAIL(&buffer_heap(buffer)->listed, extra, in_heap);
}

void extra_unlist(mb_buffer *buffer)
{
    TAILQ_REMOVE(&buffer_heap(buffer)->listed, buffer->extra, in_heap);
    buffer_clear(buffer, BUFFER_NAMED);
}
