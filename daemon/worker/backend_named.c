/* SPDX-License-Identifier: Apache-2.0 */
/* Files that programs name themselves: they keep their bytes when the lease ends. */
#include <errno.h>

#include "daemon/os/named_file.h"
#include "daemon/worker/backend_common.h"
#include "daemon/worker/workshop.h"
#include "proto/base/cleanup.h"

static int make(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    cleanup(fd_closep) int directory = named_directory_reach(&workshop->files);
    const struct named_file file = {directory, job->file, job->uid, job->gid};
    int fd = directory < 0 ? directory : named_file_open(&file, job->size);
    if (fd == -ENOSPC || fd == -EDQUOT) {
        ret->disk_free = spill_free_bytes(directory);
    }
    return fd;
}

static int let_go(int fd, const struct job *job, struct job_result *ret)
{
    int result = inode_view_look(fd, &ret->view);
    named_file_let_go(fd, &ret->view, job->size);
    return result;
}

static uint64_t adopt(uint64_t bytes, uint64_t file_bytes)
{
    (void)bytes;
    return file_bytes;
}

static bool is_target(const struct workshop *workshop, const char *target)
{
    return workshop_lies_in(target, workshop->files_path);
}

static const char *directory(const struct workshop *workshop)
{
    return workshop->files_path;
}

static int measure(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    cleanup(fd_closep) int reached = named_directory_reach(&workshop->files);
    const struct named_file file = {reached, job->file, job->uid, job->gid};
    ret->file_bytes = reached < 0 ? 0 : named_file_bytes(&file);
    return reached < 0 ? reached : 0;
}

const struct backend backend_named = {
    .making = "being opened",
    .freeing = "being let go",
    .kept_as = 'f',
    .has_own_lock = true,
    .is_programs = true,
    .is_quick = backend_common_is_never_quick,
    .make = make,
    .free = let_go,
    .look = backend_common_look,
    .is_intact = backend_common_is_whole,
    .adopt = adopt,
    .is_target = is_target,
    .directory = directory,
    .measure = measure,
};
