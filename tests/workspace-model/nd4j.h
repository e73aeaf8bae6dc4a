/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of ND4J's workspace (Nd4jWorkspace: alloc, notifyScopeEntered, close, initializeWorkspace), written from a
 * description of its rules and in its order of steps, not from the library. `divergence` marks what
 * client/WORKSPACES.md says is different here. The model keeps a record of each allocation, and whether its memory is
 * still there; it holds no memory itself.
 */
#pragma once

#include <membroker.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum place { INSIDE, SPILLED, TOGGLED, PINNED, BYPASSED };

struct record {
    enum place place;
    uint64_t offset, bytes; /* INSIDE: where; the bytes are rounded */
    uint64_t generation, step;
    bool is_dead;
    mb_ref ref;       /* to the real memory; the comparison's */
    unsigned pattern; /* that it was filled with; the comparison's */
};

enum { RECORDS_MAX = 256 };

struct nd4j {
    mb_workspace_config config;
    bool is_circular, overallocates;
    uint32_t steps_number;
    uint64_t current_size, offset, initial_block_size;
    uint64_t cycle_allocations, last_cycle, max_cycle;
    uint64_t cycles, steps, generation;
    bool is_over, is_used, is_open, reset_planned;
    bool trimmed_mode;
    uint64_t trimmed_step;
    bool spills_everything, bypasses; /* the debug mode of the cycle */
    uint64_t began_at;                /* circular: the offset when the cycle began; 0 after a turn before all else */
    bool has_wrapped;                 /* circular: in this cycle, behind its own begin */
    bool is_empty;                    /* the arena has nothing of this cycle */
    uint64_t total_spilled_bytes, total_spilled_count, total_pinned_bytes, total_pinned_count;
    struct record records[RECORDS_MAX];
    size_t count;
    uint64_t turns, regrown, grown, arenas; /* how often; for the comparison */
};

void nd4j_open(struct nd4j *ws, const mb_workspace_config *config);
void nd4j_enter(struct nd4j *ws, mb_debug_mode mode);
void nd4j_leave(struct nd4j *ws);
void nd4j_initialize(struct nd4j *ws);

/* The new record, valid until the next call; NULL: the workspace is full, and its spill policy is FAIL. */
struct record *nd4j_alloc(struct nd4j *ws, uint64_t bytes, uint64_t alignment);

/* What is held outside the arena in records of these places. */
void nd4j_outside(const struct nd4j *ws, bool pinned, uint64_t *ret_bytes, uint64_t *ret_count);

mb_ref_validity nd4j_verdict(const struct nd4j *ws, const struct record *record);

/* Forgets dead records, the oldest first, until so many are free; false: the rest is alive. */
bool nd4j_make_room(struct nd4j *ws, size_t free);
