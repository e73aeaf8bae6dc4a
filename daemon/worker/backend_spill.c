/* SPDX-License-Identifier: Apache-2.0 */
/* Files without a name, in the spill directory. */
#include "daemon/worker/backend_common.h"
#include "daemon/worker/workshop.h"

static int make(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    return spill_create(&workshop->spill, job->bytes, &ret->disk_free);
}

static bool is_target(const struct workshop *workshop, const char *target)
{
    return workshop_lies_in(target, workshop->spill.path);
}

static const char *directory(const struct workshop *workshop)
{
    return workshop->spill.path;
}

static void tidy(const struct workshop *workshop)
{
    spill_tidy(&workshop->spill);
}

const struct backend backend_spill = {
    .making = "being made",
    .freeing = "being freed",
    .kept_as = 's',
    .can_be_made_again = true,
    .is_quick = backend_common_is_never_quick,
    .make = make,
    .free = backend_common_empty,
    .look = backend_common_look,
    .is_intact = backend_common_is_whole,
    .adopt = backend_common_adopt,
    .is_target = is_target,
    .directory = directory,
    .tidy = tidy,
};
