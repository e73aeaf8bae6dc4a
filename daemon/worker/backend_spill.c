/* SPDX-License-Identifier: Apache-2.0 */
/* Files without a name, in the spill directory. */
#include "daemon/worker/backend.h"
#include "daemon/worker/workshop.h"

static bool is_quick(const struct job *job)
{
    (void)job;
    return false;
}

static int make(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    return spill_create(&workshop->spill, job->bytes, &ret->disk_free);
}

static int empty(int fd, const struct job *job, struct job_result *ret)
{
    (void)job;
    return inode_view_empty(fd, &ret->view);
}

static int look(int fd, struct job_result *ret)
{
    return inode_view_look(fd, &ret->view);
}

static bool is_intact(uint64_t length, const struct inode_view *view)
{
    return inode_view_is_whole(view, length);
}

static uint64_t adopt(uint64_t bytes, uint64_t file_bytes)
{
    (void)file_bytes;
    return bytes;
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
    .is_quick = is_quick,
    .make = make,
    .free = empty,
    .look = look,
    .is_intact = is_intact,
    .adopt = adopt,
    .is_target = is_target,
    .directory = directory,
    .tidy = tidy,
};
