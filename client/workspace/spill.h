/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory outside a workspace's arena: spilled and pinned allocations. It is leased in chunks and bumped; nothing is
 * freed alone. All allocations of one step and kind lie in one area, which is given back as a whole. Areas of one kind
 * are given back in the order of their serial numbers, so a reference only needs its area's number to be checked.
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
    bool is_zero; /* as far as nothing was allocated in it */
    SLIST_ENTRY(spill_chunk) next;
};

SLIST_HEAD(spill_chunks, spill_chunk);

struct spill_area {
    bool pinned;
    uint64_t serial;       /* from 1 */
    uint64_t step;         /* of the workspace, when it was allocated */
    uint64_t bytes, count; /* of its allocations, rounded */
    char *next, *end;      /* room in the newest chunk */
    bool room_is_zero;
    uint64_t chunk_bytes; /* of the newest chunk, except those made for one large allocation */
    struct spill_chunks chunks;
    TAILQ_ENTRY(spill_area) in_list;
};

TAILQ_HEAD(spill_list, spill_area);

/* Areas up to this serial number were given back. The owner writes it, any thread reads it. */
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

/* Allocates bytes, which are zero if `is_zeroed`. NULL, with the sentence set and the code in errno, if they can't be
 * leased. */
void *spill_alloc(struct spill *spill, bool pinned, uint64_t step, uint64_t bytes, uint64_t alignment, bool is_zeroed);

/* Gives back every area of a step before `before`, and all spilled ones if `spills`. */
void spill_free(struct spill *spill, bool spills, uint64_t before);

void spill_free_all(struct spill *spill);

/* The area that has this address, and its lease there (`ret_lease` may be NULL). NULL: none has it. */
const struct spill_area *spill_find(const struct spill *spill, const void *address, mb_lease **ret_lease);

/* How much pinned or spilled memory is held now. */
void spill_sum(const struct spill *spill, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count);
