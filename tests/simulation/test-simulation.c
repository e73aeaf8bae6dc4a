/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real runtime in virtual time: server, loop, sockets, connections and segments are the daemon's own; only the
 * clock, the kernel's memory and the worker processes are not. It must do what the core alone does, at the same
 * instants, whatever fails; and with work that takes time its loop must never sleep while something is due.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "daemon/runtime/log.h"
#include "tests/simulation/stand_ins.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world.h"
#include "tests/unit/core/environment.h"

static uint64_t running;

static void print_seed(void)
{
    virtual_time_is_on = false;
    if (running) {
        (void)fprintf(stderr, "the seed was %llu; MEMBROKER_SEED=%llu replays it\n", (unsigned long long)running,
                      (unsigned long long)running);
    }
}

static void for_each_seed(void (*run)(uint64_t seed))
{
    uint64_t only = from_environment("MEMBROKER_SEED", 0);
    uint64_t count = from_environment("MEMBROKER_SIMULATIONS", 10);
    for (running = only ? only : 1; running <= (only ? only : count); running++) {
        run(running);
    }
    running = 0;
}

static uint64_t forgotten; /* reservations, in all seeds: among many clients there may be none */

/* Of blocks, in all seeds. */
static struct sharing_counts sharing;
static struct watching_counts watching;
static struct putting_counts putting;

static void note_putting(const struct putting_counts *counts)
{
    putting.puts += counts->puts;
    putting.gets += counts->gets;
    putting.absences += counts->absences;
    putting.removals += counts->removals;
}

static void check_putting(void)
{
    cr_assert(putting.puts && putting.gets && putting.absences && putting.removals,
              "%llu objects were put, %llu got, %llu not found, %llu removed", (unsigned long long)putting.puts,
              (unsigned long long)putting.gets, (unsigned long long)putting.absences,
              (unsigned long long)putting.removals);
}

static void note_watching(const struct watching_counts *counts)
{
    watching.lists += counts->lists;
    watching.publications += counts->publications;
    watching.ends += counts->ends;
    watching.lost += counts->lost;
}

static void note_sharing(const struct sharing_counts *counts)
{
    sharing.publications += counts->publications;
    sharing.files += counts->files;
    sharing.grants_beside_reserves += counts->grants_beside_reserves;
    sharing.attachments += counts->attachments;
    sharing.evictions += counts->evictions;
    sharing.ends_with_views += counts->ends_with_views;
    sharing.restarts_with_blocks += counts->restarts_with_blocks;
}

static void check_sharing(void)
{
    cr_assert(sharing.files > 0, "no block was in a file");
    cr_assert(sharing.grants_beside_reserves > 0, "no block was made beside others' reserves");
    cr_assert(sharing.publications && sharing.attachments && sharing.evictions && sharing.ends_with_views,
              "%llu publications, %llu attachments, %llu evictions, %llu ends of blocks with views",
              (unsigned long long)sharing.publications, (unsigned long long)sharing.attachments,
              (unsigned long long)sharing.evictions, (unsigned long long)sharing.ends_with_views);
    cr_assert(watching.lists && watching.publications && watching.ends,
              "watches were told %llu lists, %llu publications, %llu ends", (unsigned long long)watching.lists,
              (unsigned long long)watching.publications, (unsigned long long)watching.ends);
}

static void run_both(uint64_t seed)
{
    stand_in_step_cost = 0;
    struct outcome *pure = world_run(&shell_pure, seed);
    struct outcome *real = world_run(&shell_real, seed);
    outcome_compare(pure, real);
    cr_assert_eq(shell_oversleeps, 0, "the loop slept while something was due");
    cr_assert(pure->grants > 50 && pure->failures > 0, "%llu grants, %llu failures", (unsigned long long)pure->grants,
              (unsigned long long)pure->failures);
    forgotten += pure->jobs_forgotten;
    cr_assert(pure->grants_to_members > 0 && pure->jobs_done > 10, "%llu grants to members, %llu changes",
              (unsigned long long)pure->grants_to_members, (unsigned long long)pure->jobs_done);
    note_sharing(&pure->sharing);
    note_watching(&pure->watching);
    outcome_free(pure);
    outcome_free(real);
}

Test(runtime, does_what_the_core_alone_does, .timeout = 7200, .fini = print_seed)
{
    log_set_level(LOG_LEVEL_ERROR);
    for_each_seed(run_both);
    check_sharing();
    cr_assert(forgotten > 0 || getenv("MEMBROKER_SEED"), "no reservation that was given up was ever empty");
}

/* Up to 3 ms for a step: the daemon judges for 2 ms in a turn. */
static void run_slowly(uint64_t seed)
{
    stand_in_step_cost = 3 * MS;
    putters_exist = true;
    struct outcome *real = world_run(&shell_real, seed);
    cr_assert_eq(shell_oversleeps, 0, "the loop slept %llu times while something was due",
                 (unsigned long long)shell_oversleeps);
    cr_assert(real->grants > 50);
    note_putting(&real->putting);
    outcome_free(real);
}

Test(runtime, never_sleeps_while_something_is_due, .timeout = 7200, .fini = print_seed)
{
    log_set_level(LOG_LEVEL_ERROR);
    for_each_seed(run_slowly);
    check_putting();
}

/* The core alone: it says what is kept, and another one goes on with that. */
static void run_with_restarts(uint64_t seed)
{
    world_restarts = 6;
    putters_exist = true;
    struct outcome *pure = world_run(&shell_pure, seed);
    world_restarts = 0;
    cr_assert(pure->grants > 50);
    note_sharing(&pure->sharing);
    note_watching(&pure->watching);
    note_putting(&pure->putting);
    outcome_free(pure);
}

Test(core, keeps_blocks_names_and_views_over_restarts, .timeout = 7200, .fini = print_seed)
{
    for_each_seed(run_with_restarts);
    check_putting();
    check_sharing();
    cr_assert(sharing.restarts_with_blocks > 0, "there was no restart with blocks");
    cr_assert(watching.lost > 0, "no watch was told that the daemon is another one");
}
