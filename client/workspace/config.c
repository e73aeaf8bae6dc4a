/* SPDX-License-Identifier: Apache-2.0 */
/* Checks configurations and fills in defaults. */
#include "client/workspace/config.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "client/error.h"
#include "client/location.h"

/* Far above any use, and within the int32 of ND4J. */
#define OVERALLOCATION_MAX 1000000.0

static bool has_known_values(const mb_workspace_config *config)
{
    return (unsigned)config->allocation_policy <= MB_ALLOCATION_STRICT &&
           (unsigned)config->learning_policy <= MB_LEARNING_NONE &&
           (unsigned)config->reset_policy <= MB_RESET_ENDOFBUFFER_REACHED &&
           (unsigned)config->spill_policy <= MB_SPILL_FAIL && (unsigned)config->mirroring <= MB_MIRRORING_HOST_ONLY &&
           location_is_valid(config->location);
}

static const char *wrong_with_sizes(const mb_workspace_config *config)
{
    if (!isfinite(config->overallocation_limit) || config->overallocation_limit < 0 ||
        config->overallocation_limit > OVERALLOCATION_MAX) {
        return "overallocation_limit must be a share from 0 to 1000000, such as 0.3 for 30 % more";
    }
    if (location_is_file(config->location) && (config->min_size || config->max_size)) {
        return "min_size and max_size bound a learned size, and the size of a mapped workspace is not learned; leave "
               "them 0";
    }
    if (config->spill_policy == MB_SPILL_FAIL && config->initial_size == 0 && !config->file) {
        return "spill policy FAIL needs an initial_size: while a size is being learned, everything is spilled";
    }
    return NULL;
}

static const char *wrong_with_learning(const mb_workspace_config *config)
{
    if (config->cycles_before_initialization > 0 && config->learning_policy != MB_LEARNING_OVER_TIME) {
        return "cycles_before_initialization goes with learning policy OVER_TIME only";
    }
    return NULL;
}

static const char *wrong_with_circle(const mb_workspace_config *config)
{
    const bool is_circular = config->reset_policy == MB_RESET_ENDOFBUFFER_REACHED;
    const bool has_blocks =
        config->allocation_policy == MB_ALLOCATION_OVERALLOCATE && !location_is_file(config->location);
    if (!is_circular) {
        return config->steps_number == 2 ? NULL
                                         : "steps_number goes with reset policy ENDOFBUFFER_REACHED only; leave it 2";
    }
    if (has_blocks && config->overallocation_limit < 1.0) {
        return "with reset policy ENDOFBUFFER_REACHED and OVERALLOCATE, overallocation_limit is the number of further "
               "blocks, and must be at least 1.0";
    }
    if (has_blocks && config->steps_number != 2 && config->steps_number != (uint32_t)config->overallocation_limit + 1) {
        return "with OVERALLOCATE steps_number is overallocation_limit + 1; leave it 2 or set it to that";
    }
    return config->steps_number == 0 ? "steps_number must be at least 1" : NULL;
}

static const char *wrong_with_mapping(const mb_workspace_config *config)
{
    if (!location_is_file(config->location)) {
        return config->file ? "a file goes with location MMAP only" : NULL;
    }
    if (config->initial_size == 0 && !config->file) {
        return "location MMAP needs initial_size > 0 or a file: the size of a mapped workspace can't be learned";
    }
    if (config->learning_policy != MB_LEARNING_NONE) {
        return "a mapped workspace can't have a learning policy; leave it to the default, or set NONE";
    }
    return NULL;
}

static void fill_rules(const mb_workspace_config *config, struct cycle_rules *ret)
{
    static const enum cycle_learning learning[] = {CYCLE_LEARN_FIRST_LOOP, CYCLE_LEARN_FIRST_LOOP,
                                                   CYCLE_LEARN_OVER_TIME, CYCLE_LEARN_NONE};
    static const enum cycle_spill spill[] = {CYCLE_SPILL_EXTERNAL, CYCLE_SPILL_REALLOCATE, CYCLE_SPILL_FAIL};
    *ret = (struct cycle_rules){
        .initial_size = config->initial_size,
        .min_size = config->min_size,
        .max_size = config->max_size,
        .overallocate = config->allocation_policy == MB_ALLOCATION_OVERALLOCATE && !location_is_file(config->location),
        .overallocation_limit = config->overallocation_limit,
        .learning = learning[config->learning_policy],
        .cycles_before_initialization = config->cycles_before_initialization,
        .circular = config->reset_policy == MB_RESET_ENDOFBUFFER_REACHED,
        .steps_number = config->reset_policy == MB_RESET_ENDOFBUFFER_REACHED ? config->steps_number : 1,
        .spill = spill[config->spill_policy],
    };
}

int config_resolve(const char *name, const mb_workspace_config *config, mb_workspace_config *ret,
                   struct cycle_rules *ret_rules)
{
    static const mb_workspace_config defaults = MB_WORKSPACE_CONFIG_INIT;
    config = config ? config : &defaults;
    if (config->size < sizeof *config) {
        return error_set(-EINVAL, "workspace \"%s\": the configuration must begin as MB_WORKSPACE_CONFIG_INIT", name);
    }
    *ret = *config;
    if (ret->learning_policy == MB_LEARNING_DEFAULT) {
        ret->learning_policy = location_is_file(ret->location) ? MB_LEARNING_NONE : MB_LEARNING_FIRST_LOOP;
    }
    const char *wrong =
        has_known_values(ret) ? NULL : "a policy or the location has a value that this library does not know";
    wrong = wrong ? wrong : wrong_with_mapping(ret);
    wrong = wrong ? wrong : wrong_with_sizes(ret);
    wrong = wrong ? wrong : wrong_with_learning(ret);
    wrong = wrong ? wrong : wrong_with_circle(ret);
    if (wrong) {
        return error_set(-EINVAL, "workspace \"%s\": %s", name, wrong);
    }
    if (ret->reset_policy == MB_RESET_ENDOFBUFFER_REACHED && ret->allocation_policy == MB_ALLOCATION_OVERALLOCATE &&
        !location_is_file(ret->location)) {
        ret->steps_number = (uint32_t)ret->overallocation_limit + 1;
    }
    fill_rules(ret, ret_rules);
    return 0;
}

static bool files_are_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool config_is_equal(const mb_workspace_config *a, const mb_workspace_config *b)
{
    return a->initial_size == b->initial_size && a->min_size == b->min_size && a->max_size == b->max_size &&
           a->overallocation_limit == b->overallocation_limit && a->allocation_policy == b->allocation_policy &&
           a->learning_policy == b->learning_policy &&
           a->cycles_before_initialization == b->cycles_before_initialization && a->reset_policy == b->reset_policy &&
           a->steps_number == b->steps_number && a->spill_policy == b->spill_policy && a->location == b->location &&
           files_are_equal(a->file, b->file) && a->mirroring == b->mirroring && a->ttl_ms == b->ttl_ms &&
           a->huge_pages == b->huge_pages && a->numa_node == b->numa_node && a->prefault == b->prefault;
}
