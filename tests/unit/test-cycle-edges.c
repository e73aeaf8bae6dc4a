/* SPDX-License-Identifier: Apache-2.0 */
/* Edges of a cycle's rules that neither ND4J's vectors nor random cycles reach. */
#include <criterion/criterion.h>

#include "client/workspace/cycle.h"

TestSuite(cycle_edges);

static struct cycle_rules defaults(void)
{
    return (struct cycle_rules){.overallocate = true,
                                .overallocation_limit = 0.3,
                                .learning = CYCLE_LEARN_FIRST_LOOP,
                                .steps_number = 1,
                                .spill = CYCLE_SPILL_EXTERNAL};
}

static struct cycle begin(struct cycle_rules rules)
{
    struct cycle cycle;
    cycle_init(&cycle, &rules);
    return cycle;
}

/* One cycle with one allocation. */
static struct cycle_orders run(struct cycle *cycle, uint64_t bytes)
{
    uint64_t offset;
    (void)cycle_enter(cycle);
    (void)cycle_place(cycle, cycle_round(bytes), CYCLE_ALIGNMENT, &offset);
    struct cycle_orders orders = cycle_leave(cycle);
    if (orders.resize) {
        cycle_resized(cycle, orders.new_size);
    }
    return orders;
}

Test(cycle_edges, a_remembered_size_fits_up_to_twice_what_is_needed_with_its_spare)
{
    static const struct {
        bool overallocate;
        uint64_t size;
        bool is_kept;
    } cases[] = {{true, 2662, true},  {true, 2663, false}, {true, 1024, true},
                 {true, 1008, false}, {false, 2048, true}, {false, 2049, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cycle_rules rules = defaults();
        rules.overallocate = cases[i].overallocate;
        struct cycle cycle = begin(rules);
        cycle_remembered(&cycle, cases[i].size);
        struct cycle_orders orders = run(&cycle, 1024);
        cr_expect_eq(!orders.resize, cases[i].is_kept, "%zu: %llu", i, (unsigned long long)cases[i].size);
        orders = run(&cycle, 1024);
        cr_expect_not(orders.resize, "it is looked at once");
    }
}

Test(cycle_edges, a_cycle_counts_only_its_own_allocations)
{
    struct cycle_rules rules = defaults();
    rules.initial_size = 4096;
    struct cycle cycle = begin(rules);
    uint64_t offset;
    cr_expect_eq(cycle_place(&cycle, 64, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    (void)cycle_enter(&cycle);
    cr_expect_eq(cycle_place(&cycle, 32, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    (void)cycle_leave(&cycle);
    cr_expect_eq(cycle.last_bytes, 32);
}

Test(cycle_edges, a_block_that_ends_between_two_alignments_costs_the_next_cycle_nothing)
{
    struct cycle_rules rules = defaults();
    rules.circular = true;
    rules.overallocation_limit = 3;
    rules.steps_number = 4;
    struct cycle cycle = begin(rules);
    (void)run(&cycle, 1024);
    cr_expect_eq(cycle.block, 1336);
    (void)run(&cycle, 16);
    cr_expect_eq(cycle.start % CYCLE_ALIGNMENT, 8);
    (void)cycle_enter(&cycle);
    uint64_t offset;
    cr_expect_eq(cycle_place(&cycle, 16, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    cr_expect_eq(offset, 1344);
    cr_expect_eq(cycle.bytes, 16);
}

Test(cycle_edges, a_block_holds_as_much_as_its_size)
{
    struct cycle_rules rules = defaults();
    rules.circular = true;
    rules.overallocation_limit = 3;
    rules.steps_number = 4;
    int tried = 0;
    for (uint64_t bytes = 16; bytes < 1024; bytes += 16) {
        struct cycle cycle = begin(rules);
        uint64_t offset;
        (void)run(&cycle, bytes);
        if (cycle.block % CYCLE_ALIGNMENT) {
            continue;
        }
        tried++;
        (void)cycle_enter(&cycle);
        cr_expect_eq(cycle_room(&cycle), cycle.block);
        cr_expect_eq(cycle_place(&cycle, cycle.block, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE, "%llu",
                     (unsigned long long)cycle.block);
        cr_expect_eq(cycle_room(&cycle), 0);
        cr_expect_eq(cycle_place(&cycle, CYCLE_ALIGNMENT, CYCLE_ALIGNMENT, &offset), CYCLE_PINNED);
        (void)cycle_leave(&cycle);
    }
    cr_expect_gt(tried, 10);
}

Test(cycle_edges, allocations_are_never_misaligned)
{
    struct cycle_rules rules = defaults();
    rules.circular = true;
    rules.overallocation_limit = 1;
    rules.steps_number = 2;
    struct cycle cycle = begin(rules);
    uint64_t offset;
    (void)run(&cycle, 1552);
    (void)run(&cycle, 16);
    cr_expect_eq(cycle.offset, 2024, "where a block ends");
    cr_expect_eq(cycle_room(&cycle), 0);
    cr_expect_eq(cycle_place(&cycle, 16, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    cr_expect_eq(offset % CYCLE_ALIGNMENT, 0);
}

/* STRICT: a ring of one block, which a cycle that pinned leaves in its middle. */
static struct cycle one_block(void)
{
    struct cycle_rules rules = defaults();
    rules.circular = true;
    rules.overallocate = false;
    rules.steps_number = 2;
    struct cycle cycle = begin(rules);
    uint64_t offset;
    (void)run(&cycle, 1392);
    cr_assert(cycle.block == 1816 && cycle.size == 1816);
    (void)cycle_enter(&cycle);
    cr_expect_eq(cycle_place(&cycle, 1104, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    cr_expect_eq(cycle_place(&cycle, 1216, CYCLE_ALIGNMENT, &offset), CYCLE_PINNED);
    (void)cycle_leave(&cycle);
    cr_expect_eq(cycle.offset, 1104);
    return cycle;
}

Test(cycle_edges, a_ring_of_one_block_holds_a_block_wherever_the_last_cycle_ended)
{
    struct cycle cycle = one_block();
    uint64_t offset;
    (void)cycle_enter(&cycle);
    cr_expect_eq(cycle_room(&cycle), 0, "the first allocation is asked for");
    cr_expect_eq(cycle_place(&cycle, 192, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    cr_expect_eq(offset, 0);
    cr_expect_eq(cycle_place(&cycle, 1616, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    cr_expect_eq(cycle_place(&cycle, 16, CYCLE_ALIGNMENT, &offset), CYCLE_PINNED, "1824 > 1816");
}

Test(cycle_edges, the_offset_never_exceeds_the_size_and_the_position_never_decreases)
{
    struct cycle cycle = one_block();
    uint64_t offset, position = cycle_position(&cycle);
    for (int i = 0; i < 20; i++) {
        (void)cycle_enter(&cycle);
        cr_expect_leq(cycle.offset, cycle.size);
        cr_expect_geq(cycle_position(&cycle), position);
        position = cycle_position(&cycle);
        if (i % 3) {
            cr_expect_eq(cycle_place(&cycle, 16, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
        }
        (void)cycle_leave(&cycle);
        cr_expect_geq(cycle_position(&cycle), position);
        position = cycle_position(&cycle);
    }
}

/* A reference that was taken before the resize must not be taken for one into the new arena. */
Test(cycle_edges, no_position_of_a_resized_arena_was_one_of_the_arena_before)
{
    struct cycle cycle = one_block();
    uint64_t last = cycle_position(&cycle) - cycle.offset + cycle.size;
    cycle_resized(&cycle, 4 * cycle.block);
    cr_expect_gt(cycle_position(&cycle), last);
}

Test(cycle_edges, a_remembered_size_counts_as_overallocated)
{
    struct cycle cycle = begin(defaults());
    cycle_remembered(&cycle, 1300);
    cr_expect(cycle.overallocated);
}

/* What was to be spilled and could not be is not learned. */
Test(cycle_edges, an_allocation_that_failed_counts_for_nothing)
{
    struct cycle cycle = begin(defaults());
    uint64_t offset;
    (void)cycle_enter(&cycle);
    enum cycle_place place = cycle_place(&cycle, 1024, CYCLE_ALIGNMENT, &offset);
    cr_expect_eq(place, CYCLE_SPILLED);
    cr_expect_gt(cycle.bytes, 0);
    cycle_unplace(&cycle, place, 1024, CYCLE_ALIGNMENT);
    cr_expect_eq(cycle.bytes, 0);
}

/* A ring of two blocks can always split one over its end: it continues where it is. */
Test(cycle_edges, a_ring_of_two_blocks_continues_where_the_last_cycle_ended)
{
    struct cycle cycle = one_block();
    uint64_t offset;
    cycle.size = 2 * cycle.block;
    cycle.offset = cycle.block + 64;
    (void)cycle_enter(&cycle);
    cr_expect_eq(cycle_place(&cycle, 64, CYCLE_ALIGNMENT, &offset), CYCLE_INSIDE);
    cr_expect_geq(offset, cycle.block);
}
