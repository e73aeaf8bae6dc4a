/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each kind of job. */
#include "daemon/worker/perform.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/os/fault.h"
#include "proto/base/cleanup.h"

/* ---- making ---- */

static int make_ram(const struct job *job, struct job_result *ret)
{
    struct memfd_options options = job->ram;
    int fd = memfd_segment(job->bytes, &options);
    if (fd < 0 && options.huge_pages && job->may_take_least) {
        options.huge_pages = false;
        options.transparent = job->has_transparent_huge_pages;
        ret->is_least = true;
        fd = memfd_segment(job->least_bytes, &options);
    }
    ret->has_huge_pages = fd >= 0 && (options.huge_pages || options.transparent);
    return fd;
}

static int make_spill(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    return spill_create(&workshop->spill, job->bytes, &ret->disk_free);
}

static int make_named(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    cleanup(fd_closep) int directory = named_directory_reach(&workshop->files);
    const struct named_file file = {directory, job->file, job->uid, job->gid};
    int fd = directory < 0 ? directory : named_file_open(&file, job->size);
    if (fd == -ENOSPC || fd == -EDQUOT) {
        ret->disk_free = file_system_free_bytes(directory);
    }
    return fd;
}

static int measure(const struct workshop *workshop, const struct job *job, struct job_result *ret)
{
    cleanup(fd_closep) int directory = named_directory_reach(&workshop->files);
    const struct named_file file = {directory, job->file, job->uid, job->gid};
    ret->file_bytes = directory < 0 ? 0 : named_file_bytes(&file);
    return directory < 0 ? directory : 0;
}

/* ---- with a descriptor ---- */

/* The pages are free when ftruncate returns, whoever still has them mapped. */
static int free_inode(int fd, struct job_result *ret)
{
    int result;
    (void)inode_look(fd, &ret->view);
    do {
        result = ftruncate(fd, 0) < 0 ? -errno : 0;
    } while (result == -EINTR);
    return result;
}

static int let_go(int fd, const struct job *job, struct job_result *ret)
{
    int result = inode_look(fd, &ret->view);
    named_file_let_go(fd, &ret->view, job->size);
    return result;
}

/* ---- all ---- */

int job_perform(const struct workshop *workshop, const struct job *job, int fd, struct job_result *ret)
{
    cleanup(fd_closep) int given = fd;
    int result = 0;
    *ret = (struct job_result){0};
    switch (job->kind) {
    case JOB_MAKE_RAM:
        result = make_ram(job, ret);
        break;
    case JOB_MAKE_SPILL:
        result = make_spill(workshop, job, ret);
        break;
    case JOB_MAKE_NAMED:
        result = make_named(workshop, job, ret);
        break;
    case JOB_FREE:
        result = free_inode(given, ret);
        break;
    case JOB_LET_GO:
        result = let_go(given, job, ret);
        break;
    case JOB_LOOK:
        result = inode_look(given, &ret->view);
        break;
    case JOB_MEASURE:
        result = measure(workshop, job, ret);
        break;
    case JOB_REOPEN:
        result = memfd_control_reopen(given);
        break;
    case JOB_ASK_SOLE:
        ret->is_sole = memfd_control_is_sole(given) && memfd_control_empty(given) == 0;
        break;
    case JOB_TIDY:
        spill_tidy(&workshop->spill);
        break;
    case JOB_CLOSE:
        break;
    }
    if (job_makes(job->kind)) {
        fault_in_worker("make");
    } else if (job->kind == JOB_MEASURE) {
        fault_in_worker("measure");
    }
    ret->error = result < 0 ? result : 0;
    return (job_makes(job->kind) || job->kind == JOB_REOPEN) && result >= 0 ? result : -EBADF;
}
