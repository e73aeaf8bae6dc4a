/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a world, by what they do; each to the library and to the model. */
#pragma once

#include "tests/workspace-model/world.h"

/* ---- world.c ---- */
void expect_result(const struct world *world, const char *call, int result, int expected);
struct scope *newest(struct world *world); /* NULL: none is open */
struct slot *current(struct world *world); /* NULL: none is current */

/* ---- scopes.c ---- */
void step_scopes(struct world *world, struct slot *slot);

/* ---- allocations.c ---- */
void step_alloc(struct world *world, struct slot *slot);
void step_alloc_closed(struct world *world, struct slot *slot);

/*
 * What the library allocated, and the model's record of it, which is made complete but for the pattern. NULL: both
 * refused.
 */
struct record *allocated(struct world *world, struct slot *slot, struct record *record, void *data, uint64_t bytes);

/* ---- copies.c ---- */
void step_detach(struct world *world, struct slot *slot);
void step_migrate(struct world *world, struct slot *slot);
void step_leverage_to(struct world *world, struct slot *slot);
void step_leverage(struct world *world, struct slot *slot);
void step_refer_again(struct world *world, struct slot *slot);
