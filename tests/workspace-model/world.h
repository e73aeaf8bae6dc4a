/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread with a few workspaces of the library, and a model of each beside it. A step does the same to both and
 * compares what they say: results, sizes, offsets, counters, what is current; and of every allocation that was
 * made, the verdict of its reference against the bytes that it was filled with.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/workspace-model/nd4j.h"

enum { SLOTS = 3, DEPTH_MAX = 12 };

/* How often a run reached what it must reach. */
struct tally {
    uint64_t steps, cycles, borrows, turns, spilled, pinned, toggled, bypassed, refused, regrown, grown;
    uint64_t valid, leaked, outdated, copies, ended_threads;
};

struct slot {
    mb_workspace *real; /* NULL: none */
    struct nd4j model;
    const char *base; /* of the arena, once an allocation told it */
    uint64_t arenas;  /* that the model had then */
    char name[16];
};

enum scope_kind { ENTERED, BORROWED, OUT };

struct scope {
    enum scope_kind kind;
    struct slot *slot;
    unsigned again;
};

struct world {
    mb_client *client;
    unsigned seed, state;
    unsigned step;
    struct slot slots[SLOTS];
    struct scope scopes[DEPTH_MAX];
    size_t depth;
    unsigned last_pattern;
    mb_debug_mode mode;
    struct tally *tally;
};

void world_begin(struct world *world, mb_client *client, unsigned seed, struct tally *tally);
void world_step(struct world *world);

/* From another thread, after the world's own has ended: nothing of it is valid any more. */
void world_expect_all_leaked(struct world *world);

/* Prints the seed, the step and the sentence, and aborts the test. */
__attribute__((noreturn, format(printf, 2, 3))) void world_fail(const struct world *world, const char *format, ...);

uint64_t world_below(struct world *world, uint64_t limit);

/* A configuration that the library takes. */
mb_workspace_config random_config(struct world *world);

/* ---- compare.c ---- */

void fill_pattern(struct record *record);

/* The memory of `bytes` has the pattern of a record; it is mapped, which is looked at without touching it. */
void expect_pattern(const struct world *world, const struct record *record, const void *data);
void compare_slot(struct world *world, struct slot *slot);
void compare_all(struct world *world);
