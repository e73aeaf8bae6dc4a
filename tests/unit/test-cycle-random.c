/* SPDX-License-Identifier: Apache-2.0 */
/* Random cycles of random workspaces against what must always hold. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/workspace/cycle.h"

TestSuite(cycle_random);

struct block {
    uint64_t at, end, generation;
};

static uint64_t chance(unsigned *seed, uint64_t below)
{
    return (uint64_t)rand_r(seed) % below;
}

static struct cycle_rules random_rules(unsigned *seed)
{
    struct cycle_rules rules = {0};
    rules.circular = chance(seed, 2);
    rules.overallocate = chance(seed, 3) > 0;
    rules.overallocation_limit = rules.circular ? (double)(1 + chance(seed, 4)) : (double)chance(seed, 8) / 4;
    rules.steps_number = rules.circular ? (rules.overallocate ? (uint32_t)rules.overallocation_limit + 1 : 2) : 1;
    rules.initial_size = chance(seed, 3) ? 0 : 64 + chance(seed, 20000);
    rules.min_size = chance(seed, 3) ? 0 : chance(seed, 5000);
    rules.max_size = chance(seed, 3) ? 0 : 500 + chance(seed, 30000);
    rules.learning = (enum cycle_learning)chance(seed, 3);
    rules.cycles_before_initialization = rules.learning == CYCLE_LEARN_OVER_TIME ? (uint32_t)chance(seed, 4) : 0;
    rules.spill = (enum cycle_spill)chance(seed, 3);
    return rules;
}

/* No two allocations of one cycle overlap, none leaves the arena, and bumping within the room is what the rules allow.
 */
static void check_inside(const struct cycle *cycle, struct block *blocks, size_t *count, uint64_t at, uint64_t bytes)
{
    cr_assert_leq(at + bytes, cycle->size + (bytes ? 0 : CYCLE_ALIGNMENT));
    if (bytes == 0) {
        return;
    }
    for (size_t i = 0; i < *count; i++) {
        cr_assert(at >= blocks[i].end || at + bytes <= blocks[i].at, "an allocation of this cycle is overwritten");
    }
    blocks[(*count)++] = (struct block){.at = at, .end = at + bytes};
}

static void random_cycle(struct cycle *cycle, unsigned *seed)
{
    struct block blocks[64];
    size_t count = 0;
    uint64_t before = cycle->generation, bytes_before = 0;
    (void)cycle_enter(cycle);
    cr_assert_eq(cycle->generation, before + 1);
    for (uint64_t n = chance(seed, 12); n > 0; n--) {
        uint64_t bytes = cycle_round(chance(seed, 3000)), offset, room = cycle_room(cycle);
        uint64_t alignment = chance(seed, 5) ? 16 : 64;
        cr_assert(room == 0 || cycle->offset % CYCLE_ALIGNMENT == 0, "what is bumped is aligned");
        cr_assert_leq(cycle->offset, cycle->size);
        if (alignment == 16 && bytes <= (room & ~UINT64_C(15)) && chance(seed, 2)) {
            check_inside(cycle, blocks, &count, cycle->offset, bytes);
            cycle_advance(cycle, cycle->offset + bytes);
        } else {
            enum cycle_place place = cycle_place(cycle, bytes, alignment, &offset);
            if (place == CYCLE_INSIDE) {
                cr_assert_eq(offset % alignment, 0);
                check_inside(cycle, blocks, &count, offset, bytes);
            } else {
                cr_assert(room < bytes + alignment || cycle->rules.circular, "what fits is not spilled");
                cr_assert_eq(place == CYCLE_REFUSED, cycle->rules.spill == CYCLE_SPILL_FAIL);
            }
        }
        cr_assert_geq(cycle->bytes, bytes_before, "a cycle's bytes only grow");
        bytes_before = cycle->bytes;
        cr_assert_leq(cycle_room(cycle), cycle->size - (cycle->offset < cycle->size ? cycle->offset : cycle->size));
    }
}

Test(cycle_random, random_cycles_keep_the_rules)
{
    for (unsigned round = 0; round < 3000; round++) {
        unsigned seed = round + 1;
        struct cycle_rules drawn = random_rules(&seed);
        const struct cycle_rules *rules = &drawn;
        struct cycle cycle;
        cycle_init(&cycle, rules);
        for (int i = 0; i < 40; i++) {
            uint64_t size_before = cycle.size, position = cycle_position(&cycle), max_before = cycle.max_bytes;
            random_cycle(&cycle, &seed);
            cr_assert_geq(cycle_position(&cycle), position, "seed %u: the position never goes back", round + 1);
            struct cycle_orders orders = cycle_leave(&cycle);
            cr_assert(rules->circular || cycle.max_bytes >= max_before);
            if (orders.resize) {
                cr_assert(rules->learning != CYCLE_LEARN_NONE);
                cr_assert_gt(orders.new_size, 0);
                cr_assert(rules->max_size == 0 || orders.new_size <= rules->max_size);
                cr_assert(rules->circular || orders.new_size > size_before, "seed %u: it only grows", round + 1);
                cycle_resized(&cycle, chance(&seed, 4) ? orders.new_size : 0);
            }
            cr_assert_leq(cycle.offset, cycle.size);
            cr_assert(rules->circular || orders.free_spills);
            cr_assert(rules->circular || cycle.offset == 0);
        }
    }
}
