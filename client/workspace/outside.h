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

struct outside_chunk {
    mb_lease *lease;
    char *base;
    uint64_t bytes;
    SLIST_ENTRY(outside_chunk) next;
};

SLIST_HEAD(outside_chunks, outside_chunk);

struct outside_area {
    bool pinned;
    uint64_t serial;       /* from 1 */
    uint64_t step;         /* of the workspace, when it was allocated */
    uint64_t bytes, count; /* of its allocations, rounded */
    char *next, *end;      /* room in the newest chunk */
    uint64_t chunk_bytes;  /* of the newest chunk that was not made for one large allocation */
    struct outside_chunks chunks;
    TAILQ_ENTRY(outside_area) in_list;
};

TAILQ_HEAD(outside_list, outside_area);

/* Up to which serial number the areas of a kind have been given back. The owner writes it, any thread reads it. */
struct outside_ends {
    _Atomic uint64_t spilled, pinned;
};

struct outside {
    struct outside_list areas; /* the oldest first */
    uint64_t last_serial;
    struct outside_ends *ends; /* borrowed */
    uint64_t leased_bytes;
    mb_client *client;
    const mb_lease_options *options; /* borrowed */
    bool catch_misuse;
};

/* Allocates `bytes`, which are zero. NULL with the sentence set and the code in errno: it can't be leased. */
void *outside_alloc(struct outside *outside, bool pinned, uint64_t step, uint64_t bytes, uint64_t alignment);

/* Gives back all spills (`spills`), and every area of a step before `before`. */
void outside_free(struct outside *outside, bool spills, uint64_t before);

void outside_free_all(struct outside *outside);

/* The area whose memory `address` is, and the lease below it (`ret_lease` may be NULL); NULL: none. */
const struct outside_area *outside_find(const struct outside *outside, const void *address, mb_lease **ret_lease);

/* What is held now. */
void outside_sum(const struct outside *outside, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count);
