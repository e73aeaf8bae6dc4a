/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that enter, leave, borrow and scope out. */
#include <errno.h>

#include "tests/workspace-model/steps.h"

static void push(struct world *world, enum scope_kind kind, struct slot *slot)
{
    world->scopes[world->depth++] = (struct scope){.kind = kind, .slot = slot};
}

static void step_enter(struct world *world, struct slot *slot)
{
    int expected = current(world) == slot ? 0 : slot->model.is_open ? -EBUSY : 0;
    expect_result(world, "enter", mb_workspace_enter(slot->real), expected);
    if (expected == 0 && current(world) == slot) {
        newest(world)->again++;
    } else if (expected == 0) {
        push(world, ENTERED, slot);
        nd4j_enter(&slot->model, world->mode);
    }
}

static void step_leave(struct world *world, struct slot *slot)
{
    struct scope *scope = newest(world);
    int expected = current(world) == slot ? 0 : -EINVAL;
    expect_result(world, "leave", mb_workspace_leave(slot->real), expected);
    if (expected < 0) {
        return;
    }
    if (scope->again > 0) {
        scope->again--;
        return;
    }
    world->depth--;
    if (scope->kind == ENTERED) {
        nd4j_leave(&slot->model);
        world->tally->cycles++;
    }
}

static bool is_borrowed(const struct world *world, const struct slot *slot)
{
    for (size_t i = 0; i < world->depth; i++) {
        if (world->scopes[i].kind == BORROWED && world->scopes[i].slot == slot) {
            return true;
        }
    }
    return false;
}

/* Divergence: only an open workspace can be borrowed. */
static void step_borrow(struct world *world, struct slot *slot)
{
    int expected = !slot->model.is_open ? -EINVAL : is_borrowed(world, slot) ? -EBUSY : 0;
    expect_result(world, "borrow", mb_workspace_borrow(slot->real), expected);
    if (expected == 0) {
        push(world, BORROWED, slot);
        world->tally->borrows++;
    }
}

static void step_out(struct world *world)
{
    expect_result(world, "scope out", mb_scope_out(), 0);
    push(world, OUT, NULL);
}

static void step_in(struct world *world)
{
    int expected = world->depth && newest(world)->kind == OUT ? 0 : -EINVAL;
    expect_result(world, "scope in", mb_scope_in(), expected);
    world->depth -= expected == 0;
}

static void step_out_of_scope(struct world *world)
{
    if (world->depth && newest(world)->kind == OUT) {
        step_in(world);
    } else if (world->depth) {
        step_leave(world, current(world));
    }
}

void step_scopes(struct world *world, struct slot *slot)
{
    uint64_t chance = world_below(world, 32);
    if (world->depth == DEPTH_MAX || chance >= 14) {
        step_out_of_scope(world);
    } else if (chance == 0) {
        step_out(world);
    } else if (chance == 1) {
        step_in(world);
    } else if (chance == 2) {
        step_leave(world, slot);
    } else if (chance <= 4) {
        step_borrow(world, slot);
    } else {
        step_enter(world, slot);
    }
}
