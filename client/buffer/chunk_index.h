/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of a client by address. Finding one takes no lock. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct chunk;

struct chunk_range {
    _Atomic uintptr_t start, end;
    struct chunk *_Atomic chunk;
};

/* A table that became too small stays until the client ends: somebody may be reading it. */
struct chunk_table {
    struct chunk_table *outgrown;
    uint32_t capacity;
    struct chunk_range ranges[];
};

struct chunk_index {
    pthread_mutex_t lock;            /* of those that change it */
    _Atomic uint32_t version, count; /* an odd version: it is being changed */
    struct chunk_table *_Atomic table;
};

void chunk_index_init(struct chunk_index *index);
void chunk_index_close(struct chunk_index *index);

/* False: out of memory. */
bool chunk_index_add(struct chunk_index *index, struct chunk *chunk, const void *start, uint64_t bytes);
void chunk_index_remove(struct chunk_index *index, const void *start);

/* NULL: the address is in none. */
struct chunk *chunk_index_find(struct chunk_index *index, const void *address);
