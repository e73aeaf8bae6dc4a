/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that are learned, spills, and what of it all the broker sees. The exact rules: tests/unit/test-cycle.c. */
#include <math.h>
#include <stdlib.h>

#include "tests/integration/workspaces.h"

TestSuite(learning, .timeout = 60);

static uint64_t granted(void)
{
    return fixture_status(&fixture).counters.granted;
}

/* ---- the configuration ---- */

static void expect_refused(mb_workspace_config config, const char *sentence)
{
    mb_workspace *workspace;
    cr_expect_eq(mb_workspace_open(client, "wrong", &config, &workspace), -EINVAL, "%s", sentence);
    EXPECT_SENTENCE(sentence);
    EXPECT_SENTENCE("\"wrong\"");
}

Test(learning, an_invalid_configuration_is_refused_with_the_reason)
{
    begin("");
    mb_workspace_config config = default_config();
    config.location = MB_LOCATION_MMAP;
    expect_refused(config, "initial_size > 0 or a file");
    config.initial_size = 4096;
    config.learning_policy = MB_LEARNING_FIRST_LOOP;
    expect_refused(config, "can't have a learning policy");
    config.learning_policy = MB_LEARNING_NONE;
    config.max_size = 1;
    expect_refused(config, "min_size and max_size");
    config = default_config();
    config.file = "name";
    expect_refused(config, "MMAP only");
    config = default_config();
    config.spill_policy = MB_SPILL_FAIL;
    expect_refused(config, "needs an initial_size");
    config = default_config();
    config.reset_policy = MB_RESET_ENDOFBUFFER_REACHED;
    expect_refused(config, "at least 1.0");
    config.overallocation_limit = 3.0;
    config.steps_number = 5;
    expect_refused(config, "overallocation_limit + 1");
    config.allocation_policy = MB_ALLOCATION_STRICT;
    config.steps_number = 0;
    expect_refused(config, "at least 1");
    config = default_config();
    config.steps_number = 4;
    expect_refused(config, "ENDOFBUFFER_REACHED only");
    config = default_config();
    config.cycles_before_initialization = 3;
    expect_refused(config, "OVER_TIME only");
    const double limits[] = {-0.1, NAN, INFINITY, 1e9};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        config = default_config();
        config.overallocation_limit = limits[i];
        expect_refused(config, "overallocation_limit must be");
    }
    config = default_config();
    config.spill_policy = (mb_spill_policy)7;
    expect_refused(config, "does not know");
    config = default_config();
    config.size = 8;
    expect_refused(config, "MB_WORKSPACE_CONFIG_INIT");
    mb_workspace *workspace;
    cr_expect_eq(mb_workspace_open(client, "control\n", NULL, &workspace), -EINVAL);
    cr_expect_eq(mb_workspace_list(NULL, 0), 0, "nothing half-done");
    end();
}

Test(learning, the_defaults_are_nd4js)
{
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    cr_expect(config.initial_size == 0 && config.min_size == 0 && config.max_size == 0);
    cr_expect(config.overallocation_limit == 0.3 && config.allocation_policy == MB_ALLOCATION_OVERALLOCATE);
    cr_expect(config.cycles_before_initialization == 0 && config.reset_policy == MB_RESET_BLOCK_LEFT);
    cr_expect(config.steps_number == 2 && config.spill_policy == MB_SPILL_EXTERNAL);
    cr_expect(config.location == MB_LOCATION_RAM && !config.file && config.mirroring == MB_MIRRORING_FULL);
    begin("");
    mb_workspace *workspace;
    cr_assert(mb_workspace_open(client, "defaults", NULL, &workspace) == 0);
    cycle_of(workspace, 1000);
    cr_expect_eq(mb_workspace_size(workspace), 1310, "the default learning policy is FIRST_LOOP");
    config = default_config();
    config.mirroring = MB_MIRRORING_HOST_ONLY;
    cr_expect_eq(stats_of(open_named(client, "host", config)).mirroring, MB_MIRRORING_HOST_ONLY);
    end();
}

/* ---- learning, on the broker's account ---- */

Test(learning, until_a_size_is_learned_everything_is_spilled_until_the_cycle_ends)
{
    begin("");
    mb_workspace *workspace = open_named(client, "learner", default_config());
    cr_expect_eq(used(), 0, "nothing is leased before it is needed");
    ENTER(workspace);
    for (int i = 0; i < 1000; i++) {
        (void)ALLOC(workspace, 1000);
    }
    mb_workspace_statistics stats = stats_of(workspace);
    cr_expect_eq(stats.spilled_count, 1000);
    cr_expect_eq(stats.spilled_bytes, 1008000);
    cr_expect_eq(stats.this_cycle_bytes, 1008000);
    cr_expect_lt(granted(), 8, "in chunks, not a lease for each");
    cr_expect_geq(used(), 1008000, "spilled memory is on the account");
    LEAVE(workspace);
    stats = stats_of(workspace);
    cr_expect_eq(stats.current_size, 1310400, "1008000 + 30 %%");
    cr_expect_eq(stats.spilled_count, 0);
    cr_expect_eq(stats.total_spilled_count, 1000);
    cr_expect_eq(stats.last_cycle_bytes, 1008000);
    cr_expect_eq(stats.sizings, 1);
    WAIT_UNTIL(used() == 1310720);
    uint64_t before = granted();
    for (int cycle = 0; cycle < 1000; cycle++) {
        ENTER(workspace);
        for (int i = 0; i < 1 + cycle % 10; i++) {
            *ALLOC(workspace, (size_t)(cycle * 7919 % 100000 + 1)) = 1;
        }
        LEAVE(workspace);
    }
    cr_expect_eq(granted(), before, "a thousand cycles ask the broker for nothing");
    cr_expect_eq(stats_of(workspace).total_spilled_count, 1000);
    cr_expect_eq(stats_of(workspace).cycles, 1001);
    mb_workspace_close(workspace);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(learning, reallocate_takes_a_larger_arena_at_the_cycles_end)
{
    begin("");
    mb_workspace_config config = default_config();
    config.spill_policy = MB_SPILL_REALLOCATE;
    mb_workspace *workspace = open_named(client, "growing", config);
    cycle_of(workspace, MIB);
    cr_expect_eq(mb_workspace_size(workspace), 1363148);
    cycle_of(workspace, 3 * MIB);
    cr_expect_eq(mb_workspace_size(workspace), 3 * MIB);
    WAIT_UNTIL(used() == 3 * MIB);
    uint64_t spilled = stats_of(workspace).total_spilled_count;
    cycle_of(workspace, 3 * MIB);
    cr_expect_eq(stats_of(workspace).total_spilled_count, spilled);
    end();
}

Test(learning, initialize_sizes_now_what_was_learned)
{
    begin("");
    mb_workspace_config config = default_config();
    config.learning_policy = MB_LEARNING_OVER_TIME;
    mb_workspace *workspace = open_named(client, "told", config);
    cr_expect_eq(mb_workspace_initialize(workspace), 0);
    cr_expect_eq(mb_workspace_size(workspace), 0, "nothing was learned");
    for (int i = 0; i < 5; i++) {
        cycle_of(workspace, 1000);
        cr_expect_eq(mb_workspace_size(workspace), 0);
    }
    cr_assert(mb_workspace_initialize(workspace) == 0);
    cr_expect_eq(mb_workspace_size(workspace), 1310);
    end();
}

Test(learning, a_size_that_the_broker_refuses_is_tried_again_and_the_program_continues)
{
    begin("[limits]\nmax_physical_bytes = 4M\nmax_bytes = 8M\n");
    mb_workspace_config config = default_config();
    mb_lease *hoard;
    mb_workspace *workspace = open_named(client, "patient", config);
    ENTER(workspace);
    (void)ALLOC(workspace, 2 * MIB);
    cr_assert(mb_acquire(client, 2 * MIB, NULL, &hoard) == 0);
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_size(workspace), 0, "2.6 MiB are not to be had");
    cr_expect_eq(stats_of(workspace).sizings_refused, 1);
    cycle_of(workspace, MIB);
    cr_assert(mb_release(hoard) == 0);
    cycle_of(workspace, MIB);
    cr_expect_eq(mb_workspace_size(workspace), 2726297, "2 MiB + 30 %%, from the largest cycle so far");
    end();
}

Test(learning, growth_that_the_broker_refuses_leaves_the_arena_as_it_was)
{
    begin("[limits]\nmax_physical_bytes = 4M\nmax_bytes = 8M\n");
    mb_workspace_config config = default_config();
    mb_lease *hoard;
    config.spill_policy = MB_SPILL_REALLOCATE;
    config.allocation_policy = MB_ALLOCATION_STRICT;
    mb_workspace *workspace = open_named(client, "stuck", config);
    cycle_of(workspace, MIB);
    ENTER(workspace);
    (void)ALLOC(workspace, 2 * MIB);
    cr_assert(mb_acquire(client, MIB, NULL, &hoard) == 0);
    (void)ALLOC(workspace, 1 * MIB);
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_size(workspace), 3 * MIB, "1 + 2 + 1 - what the cycle gives back first");
    ENTER(workspace);
    (void)ALLOC(workspace, 3 * MIB);
    cr_expect_null(mb_workspace_alloc(workspace, MIB), "and a spill that does not fit is an error");
    cr_expect_eq(errno, ENOMEM);
    EXPECT_SENTENCE("max_physical_bytes");
    EXPECT_SENTENCE("workspace \"stuck\" 3 MiB");
    cr_expect_eq(stats_of(workspace).this_cycle_bytes, 3 * MIB, "it is not counted");
    LEAVE(workspace);
    end();
}

Test(learning, fail_names_the_sizes_and_leaves_the_workspace_usable)
{
    begin("");
    mb_workspace_config config = default_config();
    config.initial_size = 1000;
    config.allocation_policy = MB_ALLOCATION_STRICT;
    config.spill_policy = MB_SPILL_FAIL;
    mb_workspace *workspace = open_named(client, "full", config);
    ENTER(workspace);
    (void)ALLOC(workspace, 500);
    cr_expect_null(mb_workspace_alloc(workspace, 601));
    cr_expect_eq(errno, ENOMEM);
    EXPECT_SENTENCE("601 bytes (rounded up: 608) don't fit workspace \"full\"");
    EXPECT_SENTENCE("it has 1000 bytes, of which 512 are used in this cycle and 488 are free");
    (void)ALLOC(workspace, 480);
    LEAVE(workspace);
    cycle_of(workspace, 992);
    end();
}

/* ---- alignment and zeros ---- */

Test(learning, an_alignment_up_to_a_page_and_zeroed_memory_may_be_asked_for)
{
    begin("");
    mb_workspace_config config = default_config();
    mb_workspace *workspace = open_named(client, "aligned", config);
    for (int cycle = 0; cycle < 3; cycle++) {
        ENTER(workspace);
        for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
            char *data = mb_workspace_alloc_aligned(workspace, 100, alignment, MB_ZEROED);
            cr_assert(data, "%s", mb_last_error());
            cr_expect_eq((uintptr_t)data % (alignment < 16 ? 16 : alignment), 0);
            for (int i = 0; i < 100; i++) {
                cr_assert_eq(data[i], 0);
            }
            memset(data, 0xff, 112);
        }
        cr_expect_null(mb_workspace_alloc_aligned(workspace, 100, 8192, 0));
        EXPECT_SENTENCE("power of two");
        cr_expect_null(mb_workspace_alloc_aligned(workspace, 100, 48, 0));
        cr_expect_null(mb_workspace_alloc_aligned(workspace, 100, 16, 8));
        cr_expect(cycle == 0 || stats_of(workspace).spilled_count == 0, "what was learned has room for alignments");
        cr_expect_not_null(mb_workspace_alloc(workspace, 0));
        LEAVE(workspace);
    }
    ENTER(workspace);
    char *old = mb_workspace_alloc(workspace, 16);
    cr_expect_eq(old[0], (char)0xff, "without MB_ZEROED it holds what was there");
    LEAVE(workspace);
    end();
}

/* ---- circular ---- */

Test(learning, a_circular_workspace_keeps_the_last_cycles_bytes)
{
    begin("");
    mb_workspace_config config = default_config();
    char *blocks[16];
    config.reset_policy = MB_RESET_ENDOFBUFFER_REACHED;
    config.overallocation_limit = 3.0;
    mb_workspace *workspace = open_named(client, "ring", config);
    ENTER(workspace);
    blocks[0] = ALLOC(workspace, 2000);
    (void)ALLOC(workspace, 2000);
    LEAVE(workspace);
    cr_expect_eq(blocks[0][0], 0x5a, "the learning cycle's spills live until the first turn");
    cr_expect_eq(stats_of(workspace).initial_block_size, 5208);
    cr_expect_eq(mb_workspace_size(workspace), 20832);
    for (int cycle = 0; cycle < 16; cycle++) {
        ENTER(workspace);
        blocks[cycle] = ALLOC(workspace, 2000);
        (void)ALLOC(workspace, 2000);
        memset(blocks[cycle], cycle, 2000);
        LEAVE(workspace);
        cr_expect_eq(mb_workspace_offset(workspace), (uint64_t)(cycle % 4 + 1) * 5208);
        for (int back = 0; back < 4 && back <= cycle; back++) {
            cr_expect_eq(blocks[cycle - back][1999], cycle - back, "cycle %d, %d back", cycle, back);
        }
    }
    cr_expect_eq(stats_of(workspace).spilled_count, 0);
    cr_expect_eq(stats_of(workspace).steps, 4);
    end();
}

Test(learning, pinned_memory_of_a_circular_workspace_lives_for_two_steps_and_is_released)
{
    begin("");
    mb_workspace_config config = default_config();
    config.reset_policy = MB_RESET_ENDOFBUFFER_REACHED;
    config.overallocation_limit = 1.0;
    mb_workspace *workspace = open_named(client, "pins", config);
    cycle_of(workspace, 1000);
    cr_expect_eq(mb_workspace_size(workspace), 2624, "two blocks of trunc(1008 * 1.3) = 1310, which gains 2");
    ENTER(workspace);
    (void)ALLOC(workspace, 1000);
    char *pinned = ALLOC(workspace, 1000);
    LEAVE(workspace);
    cr_expect_eq(stats_of(workspace).pinned_count, 1);
    cr_expect_eq(stats_of(workspace).pinned_bytes, 1008);
    while (stats_of(workspace).steps < 2) {
        cycle_of(workspace, 1000);
        cr_expect_eq(pinned[999], 0x5a);
    }
    while (stats_of(workspace).steps < 3) {
        cycle_of(workspace, 1000);
    }
    cr_expect_eq(stats_of(workspace).pinned_count, 0);
    cr_expect_eq(stats_of(workspace).total_pinned_count, 1);
    WAIT_UNTIL(used() == 4096);
    end();
}

/* ---- the debug modes and the switch ---- */

Test(learning, toggled_off_allocations_are_outside_the_arena_until_the_cycle_ends)
{
    begin("");
    mb_workspace *workspace = open_named(client, "switch", default_config());
    cycle_of(workspace, 1000);
    ENTER(workspace);
    char *inside = ALLOC(workspace, 100);
    mb_workspace_toggle(workspace, 0);
    (void)ALLOC(workspace, 200000);
    mb_workspace_toggle(workspace, 1);
    cr_expect_eq(ALLOC(workspace, 16) - inside, 112, "the arena goes on where it was");
    cr_expect_eq(stats_of(workspace).this_cycle_bytes, 128, "not learned from");
    cr_expect_eq(stats_of(workspace).spilled_count, 1, "but tracked");
    mb_workspace_toggle(workspace, 0);
    LEAVE(workspace);
    cr_expect_eq(stats_of(workspace).spilled_count, 0);
    cr_expect_eq(stats_of(workspace).max_cycle_bytes, 1008);
    cycle_of(workspace, 100);
    cr_expect_eq(stats_of(workspace).total_spilled_count, 2, "the cycle's end switched it on again");
    end();
}

Test(learning, spill_everything_makes_every_allocation_a_spill)
{
    begin("");
    mb_set_debug_mode(MB_DEBUG_SPILL_EVERYTHING);
    mb_workspace_config config = default_config();
    config.initial_size = MIB;
    mb_workspace *workspace = open_named(client, "spiller", config);
    mb_workspace *learner = open_named(client, "learner", default_config());
    for (int i = 0; i < 3; i++) {
        ENTER(workspace);
        (void)ALLOC(workspace, 100);
        cr_expect_eq(stats_of(workspace).spilled_count, 1);
        LEAVE(workspace);
        cycle_of(learner, 1000);
        cr_expect_eq(mb_workspace_size(learner), 0, "nothing is sized");
    }
    mb_set_debug_mode(MB_DEBUG_DISABLED);
    cycle_of(workspace, 100);
    cr_expect_eq(stats_of(workspace).total_spilled_count, 3);
    end();
}

Test(learning, bypass_everything_makes_allocations_tracked_buffers)
{
    begin("");
    mb_set_debug_mode(MB_DEBUG_BYPASS_EVERYTHING);
    mb_workspace_config config = default_config();
    config.initial_size = 16 * MIB;
    mb_workspace *workspace = open_named(client, "bypassed", config);
    cr_expect_eq(used(), 0, "a workspace does nothing");
    ENTER(workspace);
    char *data = mb_workspace_alloc_aligned(workspace, 1000, 4096, MB_ZEROED);
    cr_assert(data && (uintptr_t)data % 4096 == 0 && data[999] == 0);
    memset(data, 7, 1000);
    cr_expect_not_null(mb_alloc(10));
    LEAVE(workspace);
    cr_expect_eq(data[999], 7, "valid until the workspace is closed");
    cr_expect_eq(stats_of(workspace).cycles, 0);
    mb_workspace_close(workspace);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    workspace = open_named(client, "later", config);
    mb_set_debug_mode(MB_DEBUG_DISABLED);
    cycle_of(workspace, MIB);
    cr_expect_eq(stats_of(workspace).total_spilled_count, 0, "switched back, it takes its arena at the next entering");
    end();
}

/* ---- places and switches ---- */

Test(learning, auto_takes_ram_and_goes_to_a_file_if_ram_is_short)
{
    begin("[limits]\nmax_physical_bytes = 2M\nmax_bytes = 64M\n");
    mb_workspace_config config = default_config();
    config.location = MB_LOCATION_AUTO;
    mb_workspace *small = open_named(client, "small", config), *large = open_named(client, "large", config);
    cycle_of(small, MIB);
    cr_expect_eq(stats_of(small).location, MB_LOCATION_RAM);
    cycle_of(large, 4 * MIB);
    cr_expect_eq(stats_of(large).location, MB_LOCATION_MMAP);
    cr_expect_eq(mb_workspace_size(large), 5452595, "4 MiB + 30 %%: AUTO learns as RAM does");
    cycle_of(large, 5 * MIB);
    end();
}

Test(learning, the_environment_sets_the_debug_mode)
{
    cr_assert(setenv("MEMBROKER_DEBUG", "spill", 1) == 0);
    cr_expect_eq(mb_get_debug_mode(), MB_DEBUG_SPILL_EVERYTHING);
    begin("");
    mb_workspace *workspace = open_named(client, "spiller", default_config());
    cycle_of(workspace, 1000);
    cycle_of(workspace, 1000);
    cr_expect_eq(stats_of(workspace).total_spilled_count, 2);
    end();
}

Test(learning, a_client_may_ask_for_the_misuse_mode)
{
    fixture_start(&fixture, "");
    client = fixture_connect(&fixture, MB_CLIENT_CATCH_MISUSE);
    mb_workspace_config config = default_config();
    config.initial_size = 4096;
    mb_workspace *workspace = open_named(client, "caught", config);
    mb_workspace_config mapped = config;
    mapped.location = MB_LOCATION_MMAP;
    mb_workspace *file = open_named(client, "mapped", mapped);
    cycle_of(workspace, 1000);
    cycle_of(file, 1000);
    ENTER(workspace);
    ENTER(file);
    cr_expect_eq(*(unsigned char *)mb_workspace_alloc(workspace, 1000), 0xDD);
    cr_expect_eq(*(unsigned char *)mb_workspace_alloc(file, 1000), 0x5a, "a mapped workspace keeps its bytes");
    LEAVE(file);
    LEAVE(workspace);
    end();
}
