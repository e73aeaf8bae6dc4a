/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a workspace's cycles, with ND4J's vectors (its own published tests, and what its source computes, at an
 * alignment of 16). Random cycles: test-cycle-random.c.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "client/workspace/cycle.h"

TestSuite(cycle);

static struct cycle_rules defaults(void)
{
    return (struct cycle_rules){.overallocate = true,
                                .overallocation_limit = 0.3,
                                .learning = CYCLE_LEARN_FIRST_LOOP,
                                .steps_number = 1,
                                .spill = CYCLE_SPILL_EXTERNAL};
}

static struct cycle_rules circular(double limit, enum cycle_spill spill)
{
    struct cycle_rules rules = defaults();
    rules.circular = true;
    rules.overallocation_limit = limit;
    rules.steps_number = (uint32_t)limit + 1;
    rules.spill = spill;
    return rules;
}

/* Where the allocations of a cycle went: I inside, S spilled, P pinned, U uncounted, R refused. */
struct trace {
    char places[64];
    uint64_t offsets[64];
    struct cycle_orders orders;
};

static void allocate(struct cycle *cycle, struct trace *trace, uint64_t bytes)
{
    size_t at = strlen(trace->places);
    trace->places[at] = "ISUPR"[cycle_place(cycle, cycle_round(bytes), CYCLE_ALIGNMENT, &trace->offsets[at])];
}

static void leave(struct cycle *cycle, struct trace *trace)
{
    trace->orders = cycle_leave(cycle);
    if (trace->orders.resize) {
        cycle_resized(cycle, trace->orders.new_size);
    }
}

/* One cycle of these requests; the list ends with 0. */
static struct trace run(struct cycle *cycle, const uint64_t *requests)
{
    struct trace trace = {.places = ""};
    (void)cycle_enter(cycle);
    for (; *requests; requests++) {
        allocate(cycle, &trace, *requests);
    }
    leave(cycle, &trace);
    return trace;
}

#define RUN(cycle, ...) run(cycle, (const uint64_t[]){__VA_ARGS__, 0})

static struct cycle begin(struct cycle_rules rules)
{
    struct cycle cycle;
    cycle_init(&cycle, &rules);
    return cycle;
}

/* ---- initial sizes ---- */

Test(cycle, an_initial_size_grows_by_the_overallocation_once_and_is_cut_at_max_size)
{
    struct cycle_rules rules = defaults();
    rules.initial_size = 1024;
    cr_expect_eq(begin(rules).size, 1331, "1024 + trunc(307.2)");
    rules.overallocation_limit = 1.0;
    cr_expect_eq(begin(rules).size, 2048);
    rules.max_size = 1500;
    cr_expect_eq(begin(rules).size, 1500);
    rules.overallocate = false;
    cr_expect_eq(begin(rules).size, 1024);
    rules.min_size = 4096;
    cr_expect_eq(begin(rules).size, 1024, "min_size bounds a learned size only");
}

Test(cycle, a_workspace_with_an_initial_size_does_not_learn)
{
    struct cycle_rules rules = defaults();
    rules.initial_size = 1024;
    struct cycle cycle = begin(rules);
    for (int i = 0; i < 5; i++) {
        cr_expect_str_eq(RUN(&cycle, 1000, 5000).places, "IS");
        cr_expect_eq(cycle.size, 1331);
    }
}

/* ---- learning ---- */

Test(cycle, first_loop_sizes_at_the_end_of_the_first_cycle_that_allocated)
{
    struct cycle cycle = begin(defaults());
    (void)run(&cycle, (const uint64_t[]){0});
    cr_expect_eq(cycle.size, 0, "an empty cycle teaches nothing");
    struct trace first = RUN(&cycle, 1000);
    cr_expect_str_eq(first.places, "S");
    cr_expect(first.orders.free_spills);
    cr_expect_eq(cycle.size, 1310, "1008 + trunc(302.4)");
    cr_expect_eq(cycle.block, 1008);
    struct trace second = RUN(&cycle, 1000, 300);
    cr_expect_str_eq(second.places, "IS", "1008 + 304 > 1310");
    cr_expect_eq(cycle.max_bytes, 1312);
    cr_expect_eq(cycle.last_bytes, 1312);
    cr_expect_eq(cycle.size, 1310, "EXTERNAL never grows");
}

Test(cycle, over_time_sizes_from_the_largest_of_so_many_cycles)
{
    struct cycle_rules rules = defaults();
    rules.learning = CYCLE_LEARN_OVER_TIME;
    rules.cycles_before_initialization = 3;
    struct cycle cycle = begin(rules);
    (void)RUN(&cycle, 100);
    (void)RUN(&cycle, 300);
    cr_expect_eq(cycle.size, 0);
    (void)RUN(&cycle, 200);
    cr_expect_eq(cycle.size, 395, "304 + trunc(91.2)");
    struct trace fourth = RUN(&cycle, 320, 96, 1);
    cr_expect_str_eq(fourth.places, "ISI", "320 + 96 > 395; 320 + 16 fits");
}

Test(cycle, over_time_without_a_number_waits_for_initialize)
{
    struct cycle_rules rules = defaults();
    uint64_t size;
    rules.learning = CYCLE_LEARN_OVER_TIME;
    struct cycle cycle = begin(rules);
    cr_expect_not(cycle_initialize(&cycle, &size), "nothing was learned");
    for (int i = 0; i < 10; i++) {
        cr_expect_str_eq(RUN(&cycle, 1000).places, "S");
    }
    cr_expect_eq(cycle.size, 0);
    cr_assert(cycle_initialize(&cycle, &size));
    cycle_resized(&cycle, size);
    cr_expect_eq(cycle.size, 1310);
    cr_expect_not(cycle_initialize(&cycle, &size), "it has a size");
    cr_expect_str_eq(RUN(&cycle, 1000).places, "I");
}

Test(cycle, over_time_without_allocations_sizes_later)
{
    struct cycle_rules rules = defaults();
    rules.learning = CYCLE_LEARN_OVER_TIME;
    rules.cycles_before_initialization = 2;
    struct cycle cycle = begin(rules);
    for (int i = 0; i < 3; i++) {
        (void)run(&cycle, (const uint64_t[]){0});
    }
    (void)RUN(&cycle, 1000);
    cr_expect_eq(cycle.size, 1310);
}

Test(cycle, without_learning_nothing_is_sized)
{
    struct cycle_rules rules = defaults();
    uint64_t size;
    rules.learning = CYCLE_LEARN_NONE;
    rules.spill = CYCLE_SPILL_REALLOCATE;
    struct cycle cycle = begin(rules);
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(RUN(&cycle, 1000).places, "S");
    }
    cr_expect_eq(cycle.size, 0);
    cr_expect_not(cycle_initialize(&cycle, &size));
    rules.initial_size = 100;
    cycle = begin(rules);
    (void)RUN(&cycle, 5000);
    cr_expect_eq(cycle.size, 130, "REALLOCATE grows only where a learning policy is set");
}

Test(cycle, bounds_of_a_learned_size)
{
    struct cycle_rules rules = defaults();
    rules.min_size = 4096;
    struct cycle cycle = begin(rules);
    (void)RUN(&cycle, 100);
    cr_expect_eq(cycle.size, 4096, "a floor");
    rules.max_size = 2048;
    cycle = begin(rules);
    (void)RUN(&cycle, 100);
    cr_expect_eq(cycle.size, 2048, "max_size wins over min_size");
    rules.min_size = 0;
    rules.max_size = 1100;
    cycle = begin(rules);
    (void)RUN(&cycle, 1000);
    cr_expect_eq(cycle.size, 1100, "also after overallocation");
    (void)RUN(&cycle, 5000);
    cr_expect_eq(cycle.size, 1100);
    rules.overallocate = false;
    rules.max_size = 0;
    cycle = begin(rules);
    (void)RUN(&cycle, 1000);
    cr_expect_eq(cycle.size, 1008, "STRICT");
}

Test(cycle, reallocate_grows_to_the_largest_cycle_without_overallocating_again)
{
    struct cycle_rules rules = defaults();
    rules.spill = CYCLE_SPILL_REALLOCATE;
    struct cycle cycle = begin(rules);
    (void)RUN(&cycle, 1000);
    cr_expect_eq(cycle.size, 1310);
    cr_expect_str_eq(RUN(&cycle, 2000).places, "S");
    cr_expect_eq(cycle.size, 2000);
    cr_expect_str_eq(RUN(&cycle, 2000).places, "I");
    cr_expect_eq(cycle.size, 2000, "and never shrinks");
    (void)RUN(&cycle, 16);
    cr_expect_eq(cycle.size, 2000);
}

Test(cycle, reallocate_grows_up_to_max_size)
{
    struct cycle_rules rules = defaults();
    rules.spill = CYCLE_SPILL_REALLOCATE;
    rules.max_size = 1500;
    struct cycle cycle = begin(rules);
    (void)RUN(&cycle, 1000);
    cr_expect_eq(cycle.size, 1310);
    (void)RUN(&cycle, 2000);
    cr_expect_eq(cycle.size, 1500, "ND4J would keep 1310 for ever");
    cr_expect_not(RUN(&cycle, 2000).orders.resize);
}

Test(cycle, fail_refuses_and_leaves_everything_as_it_was)
{
    struct cycle_rules rules = defaults();
    rules.initial_size = 1000;
    rules.overallocate = false;
    rules.learning = CYCLE_LEARN_NONE;
    rules.spill = CYCLE_SPILL_FAIL;
    struct cycle cycle = begin(rules);
    cr_expect_str_eq(RUN(&cycle, 990, 1, 0).places, "IR", "992 + 16 > 1000");
    cr_expect_eq(cycle.max_bytes, 992);
    cr_expect_str_eq(RUN(&cycle, 500).places, "I");
}

/* ---- circular ---- */

Test(cycle, circular_blocks_have_the_published_sizes_and_offsets)
{
    struct cycle cycle = begin(circular(3.0, CYCLE_SPILL_EXTERNAL));
    cr_expect_str_eq(RUN(&cycle, 2000, 2000).places, "SS");
    cr_expect_eq(cycle.block, 5208, "trunc(4000 * 1.3) = 5200, a multiple of 8, gains 8");
    cr_expect_eq(cycle.size, 20832, "four blocks");
    for (uint64_t i = 1; i <= 4; i++) {
        cr_expect_str_eq(RUN(&cycle, 2000, 2000).places, "II");
        cr_expect_eq(cycle.offset, i * 5208, "each cycle consumes one block");
    }
    cr_expect_eq(cycle.steps, 1, "cycle 5");
    struct trace turned = RUN(&cycle, 2000);
    cr_expect_str_eq(turned.places, "I");
    cr_expect_eq(turned.offsets[0], 0);
    cr_expect(turned.orders.free_spills, "a turn came: spills of before are done");
    cr_expect_eq(cycle.offset, 5208);
    for (int i = 0; i < 3; i++) {
        (void)RUN(&cycle, 2000);
    }
    cr_expect_eq(cycle.steps, 2, "cycle 9");
}

Test(cycle, a_circular_arena_that_is_too_small_pins_and_is_recreated_two_turns_later)
{
    struct cycle cycle = begin(circular(3.0, CYCLE_SPILL_REALLOCATE));
    (void)RUN(&cycle, 2000, 2000);
    cr_expect_str_eq(RUN(&cycle, 2000, 2000, 2000).places, "IIP", "6000 > 5208");
    for (int i = 3; i <= 12; i++) {
        cr_expect_str_eq(RUN(&cycle, 2000, 2000, 2000).places, "PPP", "cycle %d", i);
        cr_expect_eq(cycle.size, 20832);
    }
    struct trace last = RUN(&cycle, 2000, 2000, 2000);
    cr_expect_str_eq(last.places, "PPP");
    cr_expect(last.orders.resize, "cycle 13 ends step 3");
    cr_expect_eq(cycle.block, 7808);
    cr_expect_eq(cycle.size, 31232, "four blocks again");
    cr_expect_str_eq(RUN(&cycle, 2000, 2000, 2000).places, "III");
    cr_expect_eq(cycle.offset, 7808);
}

Test(cycle, pinned_memory_is_freed_after_two_steps)
{
    struct cycle cycle = begin(circular(1.0, CYCLE_SPILL_EXTERNAL));
    (void)RUN(&cycle, 1000);
    struct trace pinned = RUN(&cycle, 1000, 1000);
    cr_expect_str_eq(pinned.places, "IP");
    uint64_t step = 0; /* in which it was pinned */
    while (cycle.steps < 3) {
        cr_expect_leq(pinned.orders.free_before, step, "step %llu", (unsigned long long)cycle.steps);
        pinned = RUN(&cycle, 1000);
    }
    cr_expect_eq(pinned.orders.free_before, step + 1);
}

Test(cycle, a_circular_arena_without_blocks_never_overwrites_its_own_cycle)
{
    struct cycle_rules rules = circular(0, CYCLE_SPILL_EXTERNAL);
    rules.overallocate = false;
    rules.learning = CYCLE_LEARN_NONE;
    rules.initial_size = 4096;
    rules.steps_number = 2;
    struct cycle cycle = begin(rules);
    struct trace trace = RUN(&cycle, 3000, 3000, 5000);
    cr_expect_str_eq(trace.places, "ISS",
                     "ND4J overwrites the first with the second, and never returns from the third");
    trace = RUN(&cycle, 3000);
    cr_expect_str_eq(trace.places, "I");
    cr_expect_eq(trace.offsets[0], 0, "another cycle may turn");
    trace = RUN(&cycle, 1000, 2900, 200);
    cr_expect_str_eq(trace.places, "IIS", "2912 + 208 would reach the cycle's own begin");
    cr_expect_eq(trace.offsets[0], 3008);
    cr_expect_eq(trace.offsets[1], 0, "a turn behind its own begin");
}

/* ---- switches ---- */

Test(cycle, toggled_off_allocations_are_outside_the_arena_and_not_learned)
{
    struct cycle cycle = begin(defaults());
    (void)RUN(&cycle, 1000);
    (void)cycle_enter(&cycle);
    struct trace trace = {.places = ""};
    allocate(&cycle, &trace, 100);
    cycle.in_use = false;
    cr_expect_eq(cycle_room(&cycle), 0);
    allocate(&cycle, &trace, 50000);
    cycle.in_use = true;
    allocate(&cycle, &trace, 100);
    cr_expect_str_eq(trace.places, "IUI");
    cr_expect_eq(cycle.bytes, 224);
    cycle.in_use = false;
    leave(&cycle, &trace);
    cr_expect(cycle.in_use);
    cr_expect_eq(cycle.max_bytes, 1008);
}

Test(cycle, spill_everything_spills_and_sizes_nothing)
{
    struct cycle cycle = begin(defaults());
    cycle.spill_everything = true;
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(RUN(&cycle, 1000).places, "S");
        cr_expect_eq(cycle.size, 0);
    }
    cycle.spill_everything = false;
    (void)RUN(&cycle, 1000);
    cr_expect_eq(cycle.size, 1310);
}

Test(cycle, a_refused_size_is_learned_and_overallocated_again)
{
    struct cycle cycle = begin(defaults());
    struct cycle_orders orders;
    for (int i = 0; i < 3; i++) {
        uint64_t offset;
        (void)cycle_enter(&cycle);
        cr_expect_eq(cycle_place(&cycle, 1008, CYCLE_ALIGNMENT, &offset), CYCLE_SPILLED);
        orders = cycle_leave(&cycle);
        cr_expect(orders.resize);
        cr_expect_eq(orders.new_size, 1310);
        cycle_resized(&cycle, 0);
    }
}

Test(cycle, alignments_are_kept_and_their_padding_is_learned)
{
    struct cycle cycle = begin(defaults());
    uint64_t offset;
    (void)cycle_enter(&cycle);
    cr_expect_eq(cycle_place(&cycle, 16, 16, &offset), CYCLE_SPILLED);
    cr_expect_eq(cycle_place(&cycle, 16, 4096, &offset), CYCLE_SPILLED);
    cycle_resized(&cycle, cycle_leave(&cycle).new_size);
    (void)cycle_enter(&cycle);
    cr_expect_eq(cycle_place(&cycle, 16, 16, &offset), CYCLE_INSIDE);
    cr_expect_eq(cycle_place(&cycle, 16, 4096, &offset), CYCLE_INSIDE, "the second cycle fits, whatever the alignment");
    cr_expect_eq(offset, 4096);
}

Test(cycle, rounding_and_huge_requests_do_not_overflow)
{
    cr_expect_eq(cycle_round(0), 0);
    cr_expect_eq(cycle_round(1), 16);
    cr_expect_eq(cycle_round(16), 16);
    cr_expect_eq(cycle_round(UINT64_MAX - 3), UINT64_MAX);
    struct cycle_rules rules = defaults();
    rules.initial_size = UINT64_MAX - 10;
    cr_expect_eq(begin(rules).size, UINT64_MAX);
    struct cycle cycle = begin(defaults());
    cr_expect_str_eq(RUN(&cycle, UINT64_MAX, UINT64_MAX).places, "SS");
    cr_expect_eq(cycle.max_bytes, UINT64_MAX);
    cr_expect_eq(cycle.size, UINT64_MAX);
}

/* ---- sizes that an earlier process learned ---- */

Test(cycle, a_remembered_size_that_fits_serves_the_first_cycle_and_stays)
{
    struct cycle cycle = begin(defaults());
    cycle_remembered(&cycle, 1300);
    struct trace trace = RUN(&cycle, 992);
    cr_expect_str_eq(trace.places, "I");
    cr_expect(!trace.orders.resize);
    cr_expect_eq(cycle.size, 1300, "not overallocated again");
    trace = RUN(&cycle, 1600);
    cr_expect_str_eq(trace.places, "S");
    cr_expect_eq(cycle.size, 1300, "what was learned once stays, as without it");
}

Test(cycle, a_remembered_size_that_is_too_small_is_learned_again)
{
    struct cycle cycle = begin(defaults());
    cycle_remembered(&cycle, 1300);
    struct trace trace = RUN(&cycle, 992, 1008);
    cr_expect_str_eq(trace.places, "IS");
    cr_expect(trace.orders.resize);
    cr_expect_eq(trace.orders.new_size, 2600);
}

Test(cycle, a_remembered_size_of_more_than_twice_the_need_is_learned_again)
{
    struct cycle cycle = begin(defaults());
    cycle_remembered(&cycle, 10000);
    struct trace trace = RUN(&cycle, 992);
    cr_expect_str_eq(trace.places, "I");
    cr_expect(trace.orders.resize);
    cr_expect_lt(trace.orders.new_size, 1300);
}

Test(cycle, over_time_checks_a_remembered_size_after_its_cycles)
{
    struct cycle_rules rules = defaults();
    rules.learning = CYCLE_LEARN_OVER_TIME;
    rules.cycles_before_initialization = 3;
    struct cycle cycle = begin(rules);
    cycle_remembered(&cycle, 1300);
    cr_expect(!RUN(&cycle, 16).orders.resize, "small, but there are cycles to come");
    cr_expect(!RUN(&cycle, 992).orders.resize);
    cr_expect(!RUN(&cycle, 16).orders.resize, "the largest of them fits");
    cr_expect_eq(cycle.size, 1300);
}
