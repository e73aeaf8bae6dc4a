/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces for arrays: an allocation moves a pointer in a leased region, and the end of a cycle moves it back. The
 * arrays of a region are counted. A region that still has some at the end of its cycle is left to them: the next cycle
 * gets another one, so that nothing is ever overwritten. All functions need the interpreter's lock.
 */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

struct region {
    mb_lease *lease;
    char *base;
    size_t bytes, top;
    size_t arrays; /* that live in it */
    uint64_t epoch;
    bool is_loss_told;
    struct region *next; /* of the retired ones */
};

struct region_stack {
    struct owner *owner;
    mb_lease_options options; /* of the regions */
    char name[64];
    struct region *current; /* NULL: none yet */
    struct region *spare;   /* empty; saves a message to the broker */
    struct region *retired; /* arrays of earlier cycles live in them */
    size_t cycle_bytes, spilled_bytes, spilled_count;
    size_t retired_count;
    bool can_spill;
};

/* NULL: errors_of_thread() has the reason. What does not fit the region is a block of its own (block.h). */
void *region_allocate(struct region_stack *stack, size_t bytes, unsigned flags);
void region_free(struct region_stack *stack, void *data, size_t bytes);
void *region_resize(struct region_stack *stack, void *data, size_t bytes);

/* Makes the current region empty, or replaces it by an empty one of `bytes`; 0: none. False: an exception is set. */
bool region_begin(struct region_stack *stack, size_t bytes);

/* Gives back the regions that no array uses. */
void region_close(struct region_stack *stack);

/* -ESTALE, with the library's sentence: a lease under it has ended. An earlier cycle's is told once. */
int region_check(struct region_stack *stack);
