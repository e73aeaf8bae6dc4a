/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a workspace's cycles, as a pure value: where an allocation goes, what a cycle's end frees, and what size
 * the arena is to have. It holds no memory and calls nobody; workspace.c carries out what it says.
 *
 * The rules are those of ND4J's Nd4jWorkspace (alloc, notifyScopeEntered, close, initializeWorkspace). Where they
 * differ on purpose a comment says `divergence`; client/WORKSPACES.md lists them all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum cycle_learning { CYCLE_LEARN_NONE, CYCLE_LEARN_FIRST_LOOP, CYCLE_LEARN_OVER_TIME };
enum cycle_spill { CYCLE_SPILL_EXTERNAL, CYCLE_SPILL_REALLOCATE, CYCLE_SPILL_FAIL };

enum { CYCLE_ALIGNMENT = 16 };

/* Sizes in bytes. */
struct cycle_rules {
    uint64_t initial_size;
    uint64_t min_size, max_size; /* 0: none */
    bool overallocate;
    double overallocation_limit; /* finite, at least 0 */
    enum cycle_learning learning;
    uint32_t cycles_before_initialization;
    bool circular;
    uint32_t steps_number; /* cycles in a turn, at least 1 */
    enum cycle_spill spill;
};

struct cycle {
    struct cycle_rules rules;
    uint64_t size;                         /* of the arena; 0: there is none */
    uint64_t offset;                       /* of the next allocation */
    uint64_t start;                        /* offset at the cycle's begin; 0 after a turn */
    uint64_t turned_bytes;                 /* by how much the offset went back, in all */
    uint64_t block;                        /* learned, before overallocation; 0: nothing learned */
    uint64_t bytes, last_bytes, max_bytes; /* of this cycle, the last, the largest */
    uint64_t generation, cycles, steps;
    bool in_use;              /* false: toggled off */
    bool spill_everything;    /* the debug mode */
    bool provisional;         /* the size is one that an earlier process learned */
    bool overallocated;       /* it has been, once and for all */
    bool turned_in_cycle;     /* the offset went back to 0 behind this cycle's own begin */
    bool spills_outlive;      /* circular: spills stay until the next turn; this says that it came */
    bool regrowing;           /* circular: everything is pinned until the arena is made anew */
    uint64_t regrowing_since; /* in steps */
};

enum cycle_place {
    CYCLE_INSIDE,    /* at *ret_offset */
    CYCLE_SPILLED,   /* outside, freed as spills are */
    CYCLE_UNCOUNTED, /* outside, freed as spills are; toggled off: not part of what is learned */
    CYCLE_PINNED,    /* outside, freed two steps later */
    CYCLE_REFUSED,   /* it does not fit, and spilling is not allowed */
};

/* What is to be done at the end of a cycle, in this order. */
struct cycle_orders {
    bool free_spills;
    uint64_t free_before; /* pinned memory, and spills that are left, of steps before this one */
    bool resize;          /* make the arena anew, with cycle->size as it will be: see cycle_resized() */
    uint64_t new_size;
};

/* A cycle before its first. The arena is to have cycle->size bytes (0: none yet). */
void cycle_init(struct cycle *cycle, const struct cycle_rules *rules);

/* Bytes rounded up as an allocation is; UINT64_MAX where that overflows. */
uint64_t cycle_round(uint64_t bytes);

/* Notes what was bumped without asking: the arena's next allocation begins at `offset` now. */
void cycle_advance(struct cycle *cycle, uint64_t offset);

/* How many bytes from cycle->offset on may be bumped without asking; none if that is not aligned. */
uint64_t cycle_room(const struct cycle *cycle);

/* Decides one allocation of cycle_round()ed `bytes`, and counts it unless it is refused. */
enum cycle_place cycle_place(struct cycle *cycle, uint64_t bytes, uint64_t alignment, uint64_t *ret_offset);

/* Takes back what cycle_place() counted outside the arena: the memory could not be had. */
void cycle_unplace(struct cycle *cycle, enum cycle_place place, uint64_t bytes, uint64_t alignment);

/* A cycle in which the workspace does nothing: only the generation is new. */
void cycle_bypass(struct cycle *cycle);

/* Begins a cycle. True: spills that are left are to be freed. */
bool cycle_enter(struct cycle *cycle);

struct cycle_orders cycle_leave(struct cycle *cycle);

/* The size that was learned, for an arena that has none; false: it has one, or nothing was learned, or learning is off.
 */
bool cycle_initialize(struct cycle *cycle, uint64_t *ret_size);

/* The arena has a size that was learned before, by another process: what is learned here may still change it. */
void cycle_remembered(struct cycle *cycle, uint64_t size);

/* The arena has this size now: as ordered, or as the broker allowed. */
void cycle_resized(struct cycle *cycle, uint64_t size);

/* Bytes handed out so far, turns included: grows for ever. */
uint64_t cycle_position(const struct cycle *cycle);
