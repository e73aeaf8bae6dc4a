/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a buffer, with its record: making and freeing it. What owns references, scopes and so on lies above. */
#pragma once

#include "client/buffer/buffer.h"
#include "client/thread.h"

struct block_wish {
    size_t bytes, alignment; /* 0: the usual one */
    unsigned flags;          /* of mb_buffer_options */
    const char *name;        /* NULL: none */
};

/* A buffer with one reference. NULL with errno and the sentence set. */
mb_buffer *block_create(struct thread *thread, struct heap *heap, const struct block_wish *wish);

/* Frees a buffer that has no references, weak ones or scope. In a forked child nothing happens. */
void block_free(mb_buffer *buffer);

/* The bytes from the buffer's data on that belong to it. */
uint64_t block_bytes(const mb_buffer *buffer);

/* Medium buffers stay listed while a thread caches them, so another thread may read the size to list the holders. */
static inline void block_set_alive(mb_buffer *buffer, size_t bytes)
{
    __atomic_store_n(&buffer->head.size, bytes, __ATOMIC_RELAXED);
    buffer_set_references(buffer, 1);
}
