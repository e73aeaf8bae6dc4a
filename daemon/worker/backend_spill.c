/* SPDX-License-Identifier: Apache-2.0 */
/* Files without a name, in the spill directory. */
#include "daemon/os/block_file.h"
#include "daemon/worker/backend_common.h"
#include "daemon/worker/workshop.h"

static int make(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    int fd = spill_create(&workshop->spill, job->bytes, &ret->disk_free);
    return fd >= 0 && job->is_publishable ? block_file_open(fd, &ret->readable, &ret->writable) : fd;
}

static int seal(int fd, const struct job *job)
{
    return block_file_prove(fd, job->size);
}

static int give_back(int fd, const struct job *job, struct job_result *ret)
{
    (void)job;
    return block_file_is_one(fd) ? block_file_empty(fd, &ret->view) : inode_view_empty(fd, &ret->view);
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
    .brings_others = true,
    .is_quick = backend_common_is_never_quick,
    .make = make,
    .free = give_back,
    .seal = seal,
    .is_sealed = block_file_is_one,
    .look = backend_common_look,
    .is_intact = backend_common_is_whole,
    .adopt = backend_common_adopt,
    .is_target = is_target,
    .directory = directory,
    .tidy = tidy,
};
