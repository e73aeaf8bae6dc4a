/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces against a model of ND4J's rules, for MEMBROKER_MODEL_SECONDS (3), from MEMBROKER_MODEL_SEED (1) on. Each
 * seed is a thread that works with a few workspaces and ends without closing them.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/integration/fixture.h"
#include "tests/workspace-model/world.h"

TestSuite(workspace_model, .timeout = 7200);

enum { STEPS = 2000, MISUSE_EVERY = 8 };

static unsigned long number_of(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);
    return value ? strtoul(value, NULL, 10) : otherwise;
}

static void *live(void *argument)
{
    struct world *world = argument;
    for (int i = 0; i < STEPS; i++) {
        world_step(world);
    }
    return NULL;
}

static void live_in_a_thread(mb_client *client, unsigned seed, struct tally *tally)
{
    static struct world world;
    pthread_t thread;
    world_begin(&world, client, seed, tally);
    cr_assert_eq(pthread_create(&thread, NULL, live, &world), 0);
    (void)pthread_join(thread, NULL);
    world_expect_all_leaked(&world);
}

static void print(const struct tally *tally, unsigned long seeds)
{
    (void)fprintf(stderr,
                  "%lu threads, %" PRIu64 " steps, %" PRIu64 " cycles; %" PRIu64 " borrows, %" PRIu64 " turns, %" PRIu64
                  " spilled, %" PRIu64 " pinned, %" PRIu64 " toggled off, %" PRIu64 " bypassed, %" PRIu64
                  " refused, %" PRIu64 " rings made anew, %" PRIu64 " arenas grown, %" PRIu64
                  " copies; verdicts: %" PRIu64 " valid, %" PRIu64 " leaked, %" PRIu64 " outdated\n",
                  seeds, tally->steps, tally->cycles, tally->borrows, tally->turns, tally->spilled, tally->pinned,
                  tally->toggled, tally->bypassed, tally->refused, tally->regrown, tally->grown, tally->copies,
                  tally->valid, tally->leaked, tally->outdated);
}

/* A comparison that never reached its subject proves nothing. */
static void expect_reached(const struct tally *tally)
{
    cr_assert(tally->borrows > 0 && tally->turns > 0 && tally->spilled > 0 && tally->pinned > 0);
    cr_assert(tally->toggled > 0 && tally->bypassed > 0 && tally->refused > 0);
    cr_assert(tally->regrown > 0 && tally->grown > 0 && tally->copies > 0 && tally->ended_threads > 0);
    cr_assert(tally->valid > 0 && tally->leaked > 0 && tally->outdated > 0);
}

Test(workspace_model, random_programs_agree_with_the_model)
{
    struct fixture fixture;
    struct tally tally = {0};
    unsigned long first = number_of("MEMBROKER_MODEL_SEED", 1), seed = first;
    time_t end = time(NULL) + (time_t)number_of("MEMBROKER_MODEL_SECONDS", 3);
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_LEARNED_SIZES);
    mb_client *strict = fixture_connect(&fixture, MB_CLIENT_NO_LEARNED_SIZES | MB_CLIENT_CATCH_MISUSE);
    do {
        live_in_a_thread(seed % MISUSE_EVERY ? client : strict, (unsigned)seed, &tally);
        seed++;
    } while (time(NULL) < end || seed - first < 2 * MISUSE_EVERY);
    print(&tally, seed - first);
    expect_reached(&tally);
    mb_set_debug_mode(MB_DEBUG_DISABLED);
    mb_disconnect(strict);
    mb_disconnect(client);
    fixture_stop(&fixture);
}
