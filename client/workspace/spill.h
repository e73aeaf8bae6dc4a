/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory outside a workspace's arena: spilled and pinned allocations. It is leased in chunks and bumped; nothing
 * is freed singly. What was allocated in one step, and of one kind, lies in one area and is given back as a whole.
 * Areas of one kind are given back in the order in which they were made, so that a reference needs only its area's
 * serial number to know whether its memory is still there.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "membroker.h"

struct spill_chunk {
    mb_lease *lease;
    char *base;
    uint64_t bytes;
    SLIST_ENTRY(spill_chunk) next;
};

SLIST_HEAD(spill_chunks, spill_chunk);

struct spill_area {
    bool pinned;
    uint64_t serial;       /* from 1 */
    uint64_t step;         /* of the workspace, when it was allocated */
    uint64_t bytes, count; /* of its allocations, rounded */
    char *next, *end;      /* room in the newest chunk */
    uint64_t chunk_bytes;  /* of the newest chunk that was not made for one large allocation */
    struct spill_chunks chunks;
    TAILQ_ENTRY(spill_area) in_list;
};

TAILQ_HEAD(spill_list, spill_area);

/* Up to which serial number the areas of a kind have been given back. The owner writes it, any thread reads it. */
struct spill_ends {
    _Atomic uint64_t spilled, pinned;
};

struct spill {
    struct spill_list areas; /* the oldest first */
    uint64_t last_serial;
    struct spill_ends *ends; /* borrowed */
    uint64_t leased_bytes;
    mb_client *client;
    const mb_lease_options *options; /* borrowed */
    bool catch_misuse;
};

/* Allocates `bytes`, which are zero. NULL with the sentence set and the code in errno: it can't be leased. */
void *spill_alloc(struct spill *spill, bool pinned, uint64_t step, uint64_t bytes, uint64_t alignment);

/* Gives back all spills (`spills`), and every area of a step before `before`. */
void spill_free(struct spill *spill, bool spills, uint64_t before);

void spill_free_all(struct spill *spill);

/* The area whose memory `address` is, and the lease below it (`ret_lease` may be NULL); NULL: none. */
const struct spill_area *spill_find(const struct spill *spill, const void *address, mb_lease **ret_lease);

/* What is held now. */
void spill_sum(const struct spill *spill, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count);
