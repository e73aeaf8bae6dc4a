/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a workspace's cycles, as a pure value: where an allocation goes, what the end of a cycle frees, and what
 * size the arena should have. It holds no memory; allocate.c, scope.c and arena.c do what it says.
 *
 * The rules are those of ND4J's Nd4jWorkspace (alloc, notifyScopeEntered, close, initializeWorkspace). A comment says
 * `divergence` if they differ on purpose; client/WORKSPACES.md lists all divergences.
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
    uint64_t turned_bytes;                 /* how far the offset went back, in total */
    uint64_t block;                        /* learned, before overallocation; 0: nothing learned */
    uint64_t bytes, last_bytes, max_bytes; /* of this cycle, the last, the largest */
    uint64_t generation, cycles, steps;
    bool in_use;              /* false: toggled off */
    bool spill_everything;    /* the debug mode */
    bool provisional;         /* the size is one that an earlier process learned */
    bool overallocated;       /* it was done; it is done once */
    bool turned_in_cycle;     /* the offset went back to 0, and must stay before this cycle's start */
    bool spills_outlive;      /* circular: no turn came in this cycle, so its spills stay */
    bool regrowing;           /* circular: everything is pinned until there is a new arena */
    uint64_t regrowing_since; /* in steps */
};

enum cycle_place {
    CYCLE_INSIDE,    /* at *ret_offset */
    CYCLE_SPILLED,   /* outside, freed as spills are */
    CYCLE_UNCOUNTED, /* as CYCLE_SPILLED; but the workspace is toggled off, and does not learn from it */
    CYCLE_PINNED,    /* outside, freed two steps later */
    CYCLE_REFUSED,   /* it does not fit, and spilling is not allowed */
};

/* What to do at the end of a cycle, in this order. */
struct cycle_orders {
    bool free_spills;
    uint64_t free_before; /* free pinned memory and remaining spills of steps before this one */
    bool resize;          /* replace the arena; then call cycle_resized() */
    uint64_t new_size;
};

/* Before the first cycle. The arena should have cycle->size bytes; 0: none yet. */
void cycle_init(struct cycle *cycle, const struct cycle_rules *rules);

/* Rounds up as an allocation does. UINT64_MAX if that overflows. */
uint64_t cycle_round(uint64_t bytes);

/* Notes what was bumped without asking: the next allocation begins at `offset`. */
void cycle_advance(struct cycle *cycle, uint64_t offset);

/* How many bytes from cycle->offset on may be bumped without asking. 0 if the offset is not aligned. */
uint64_t cycle_room(const struct cycle *cycle);

/* Decides one allocation of cycle_round()ed `bytes`, and counts it unless it is refused. */
enum cycle_place cycle_place(struct cycle *cycle, uint64_t bytes, uint64_t alignment, uint64_t *ret_offset);

/* Undoes what cycle_place() counted outside the arena, because there was no memory. */
void cycle_unplace(struct cycle *cycle, enum cycle_place place, uint64_t bytes, uint64_t alignment);

/* A cycle in debug mode BYPASS_EVERYTHING: only the generation changes. */
void cycle_bypass(struct cycle *cycle);

/* Begins a cycle. True: free the remaining spills. */
bool cycle_enter(struct cycle *cycle);

struct cycle_orders cycle_leave(struct cycle *cycle);

/* The learned size, for an arena that has none. False: it has one, nothing was learned, or learning is off. */
bool cycle_initialize(struct cycle *cycle, uint64_t *ret_size);

/* The arena has a size that an earlier process learned. What this one learns may still change it. */
void cycle_remembered(struct cycle *cycle, uint64_t size);

/* The arena has this size now: as ordered, or as the broker allowed. */
void cycle_resized(struct cycle *cycle, uint64_t size);

/* Bytes handed out so far, turns included. It never decreases. */
uint64_t cycle_position(const struct cycle *cycle);
