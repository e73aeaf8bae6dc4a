/* SPDX-License-Identifier: Apache-2.0 */
/* Random steps of one thread. */
#include "tests/workspace-model/steps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void world_fail(const struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "seed %u, step %u: ", world->seed, world->step);
    (void)vfprintf(stderr, format, arguments); // NOLINT(clang-analyzer-valist.Uninitialized)
    (void)fprintf(stderr, " (last error: %s)\n", mb_last_error());
    va_end(arguments);
    abort();
}

uint64_t world_below(struct world *world, uint64_t limit)
{
    return ((uint64_t)rand_r((unsigned *)&world->state) << 16 ^ (uint64_t)rand_r((unsigned *)&world->state)) % limit;
}

void expect_result(const struct world *world, const char *call, int result, int expected)
{
    if (result != expected) {
        world_fail(world, "%s returned %d, and should return %d", call, result, expected);
    }
}

struct scope *newest(struct world *world)
{
    return world->depth ? &world->scopes[world->depth - 1] : NULL;
}

struct slot *current(struct world *world)
{
    return world->depth ? newest(world)->slot : NULL;
}

/* ---- opening, closing, switches ---- */

static void gather(struct world *world, const struct slot *slot)
{
    world->tally->turns += slot->model.turns;
    world->tally->regrown += slot->model.regrown;
    world->tally->grown += slot->model.grown;
}

/* Its references are leaked now, and stay so. */
static void forget(struct world *world, struct slot *slot)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->depth; i++) {
        if (world->scopes[i].slot != slot) {
            world->scopes[kept++] = world->scopes[i];
        }
    }
    world->depth = kept;
    for (size_t i = 0; i < slot->model.count; i++) {
        const mb_ref *ref = &slot->model.records[i].ref;
        mb_buffer *buffer;
        if (mb_ref_state(ref) != MB_REF_LEAKED || mb_buffer_detach(ref, &buffer) != -ESTALE) {
            world_fail(world, "a reference into a closed workspace is not leaked");
        }
    }
    gather(world, slot);
    slot->real = NULL;
    slot->base = NULL;
}

static void step_close(struct world *world, struct slot *slot)
{
    mb_workspace_close(slot->real);
    forget(world, slot);
}

static void step_close_all(struct world *world)
{
    mb_workspace_close_all();
    for (int i = 0; i < SLOTS; i++) {
        if (world->slots[i].real) {
            forget(world, &world->slots[i]);
        }
    }
    world->depth = 0;
}

static void step_open(struct world *world, struct slot *slot)
{
    mb_workspace_config config = random_config(world);
    expect_result(world, "open", mb_workspace_open(world->client, slot->name, &config, &slot->real), 0);
    nd4j_open(&slot->model, &config);
}

static void step_toggle(struct world *world, struct slot *slot)
{
    bool use = world_below(world, 3) > 0;
    mb_workspace_toggle(slot->real, use);
    slot->model.is_used = use;
}

static void step_initialize(struct world *world, struct slot *slot)
{
    expect_result(world, "initialize", mb_workspace_initialize(slot->real), 0);
    nd4j_initialize(&slot->model);
}

static void step_mode(struct world *world)
{
    world->mode = world_below(world, 2) ? MB_DEBUG_DISABLED : (mb_debug_mode)world_below(world, 3);
    mb_set_debug_mode(world->mode);
}

/* ---- a step ---- */

static void step_rarely(struct world *world, struct slot *slot)
{
    switch (world_below(world, 24)) {
    case 0:
        step_close(world, slot);
        break;
    case 1:
        step_mode(world);
        break;
    case 2:
        if (world_below(world, 4) == 0) {
            step_close_all(world);
        }
        break;
    case 3:
    case 4:
    case 5:
        step_initialize(world, slot);
        break;
    case 6:
    case 7:
    case 8:
        step_toggle(world, slot);
        break;
    case 9:
    case 10:
    case 11:
    case 12:
        step_migrate(world, slot);
        break;
    case 13:
    case 14:
    case 15:
    case 16:
        step_leverage(world, slot);
        break;
    case 17:
    case 18:
        step_leverage_to(world, slot);
        break;
    case 19:
    case 20:
        step_refer_again(world, slot);
        break;
    default:
        step_detach(world, slot);
    }
}

static void act(struct world *world, struct slot *slot)
{
    uint64_t chance = world_below(world, 100);
    if (chance < 50) {
        slot->model.is_open ? step_alloc(world, slot) : step_alloc_closed(world, slot);
    } else if (chance < 94) {
        step_scopes(world, slot);
    } else {
        step_rarely(world, slot);
    }
}

/* Room for a record in each, so that a copy has one too. */
static void make_room(struct world *world)
{
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &world->slots[i];
        if (slot->real && !nd4j_make_room(&slot->model, RECORDS_MAX - 48) && !nd4j_make_room(&slot->model, 2)) {
            step_close(world, slot);
        }
    }
}

void world_step(struct world *world)
{
    struct slot *slot = &world->slots[world_below(world, SLOTS)];
    if (world_below(world, 4) && current(world)) {
        slot = current(world);
    }
    world->step++;
    world->tally->steps++;
    make_room(world);
    slot->real ? act(world, slot) : step_open(world, slot);
    compare_all(world);
}

void world_begin(struct world *world, mb_client *client, unsigned seed, struct tally *tally)
{
    memset(world, 0, sizeof *world);
    world->client = client;
    world->seed = seed;
    world->state = seed * 2654435761U;
    world->tally = tally;
    mb_set_debug_mode(MB_DEBUG_DISABLED);
    for (int i = 0; i < SLOTS; i++) {
        (void)snprintf(world->slots[i].name, sizeof world->slots[i].name, "slot %d", i);
    }
}

void world_expect_all_leaked(struct world *world)
{
    for (int i = 0; i < SLOTS; i++) {
        if (world->slots[i].real) {
            forget(world, &world->slots[i]);
        }
    }
    world->tally->ended_threads++;
}
