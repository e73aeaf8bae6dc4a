/* SPDX-License-Identifier: Apache-2.0 */
/* Random configurations: small sizes, so that rings turn and arenas overflow within a few steps. */
#include "tests/workspace-model/world.h"

static void choose_sizes(struct world *world, mb_workspace_config *config)
{
    if (config->spill_policy == MB_SPILL_FAIL || world_below(world, 3) == 0) {
        config->initial_size = 64 + world_below(world, 6000);
    }
    if (world_below(world, 4) == 0) {
        config->min_size = world_below(world, 5000);
    }
    if (world_below(world, 4) == 0) {
        config->max_size = 500 + world_below(world, 12000);
    }
}

static void choose_learning(struct world *world, mb_workspace_config *config)
{
    config->learning_policy = (mb_learning_policy)world_below(world, 4);
    if (config->learning_policy == MB_LEARNING_OVER_TIME) {
        config->cycles_before_initialization = (uint32_t)world_below(world, 4);
    }
}

static void choose_ring(struct world *world, mb_workspace_config *config)
{
    static const double further_blocks[] = {1.0, 1.0, 1.25, 1.5, 2.0, 3.0};
    config->reset_policy = MB_RESET_ENDOFBUFFER_REACHED;
    config->overallocation_limit = further_blocks[world_below(world, sizeof further_blocks / sizeof *further_blocks)];
    if (config->allocation_policy == MB_ALLOCATION_STRICT) {
        config->steps_number = 1 + (uint32_t)world_below(world, 4);
    }
}

/* Now and then in a file: never learned, nor overallocated. */
static void choose_location(struct world *world, mb_workspace_config *config)
{
    if (world_below(world, 24) == 0) {
        config->location = MB_LOCATION_MMAP;
        config->initial_size = 64 + world_below(world, 6000);
        config->min_size = config->max_size = 0;
        config->learning_policy = world_below(world, 2) ? MB_LEARNING_DEFAULT : MB_LEARNING_NONE;
        config->cycles_before_initialization = 0;
    }
}

mb_workspace_config random_config(struct world *world)
{
    static const double spare[] = {0.0, 0.05, 0.3, 0.3, 1.0};
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    config.spill_policy = (mb_spill_policy)(world_below(world, 8) ? world_below(world, 2) : MB_SPILL_FAIL);
    config.allocation_policy = world_below(world, 3) ? MB_ALLOCATION_OVERALLOCATE : MB_ALLOCATION_STRICT;
    config.mirroring = (mb_mirroring_policy)world_below(world, 2);
    config.overallocation_limit = spare[world_below(world, sizeof spare / sizeof *spare)];
    choose_sizes(world, &config);
    choose_learning(world, &config);
    if (world_below(world, 2)) {
        choose_ring(world, &config);
    }
    choose_location(world, &config);
    return config;
}
