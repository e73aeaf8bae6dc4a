/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of a heap by address. The heap's lock is held. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct chunk;

struct chunk_range {
    uintptr_t start, end;
    struct chunk *chunk;
};

struct chunk_index {
    struct chunk_range *ranges; /* sorted; NULL: there never was one */
    uint32_t count, capacity;
};

/* False: out of memory. */
bool chunk_index_add(struct chunk_index *index, struct chunk *chunk, const void *start, uint64_t bytes);
void chunk_index_remove(struct chunk_index *index, const void *start);

/* NULL: the address is in none. */
struct chunk *chunk_index_find(const struct chunk_index *index, const void *address);

/* The heap ends. */
void chunk_index_close(struct chunk_index *index);
