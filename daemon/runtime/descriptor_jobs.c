/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/descriptor_jobs.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/os/block_file.h"
#include "daemon/runtime/server.h"
#include "daemon/worker/backend.h"
#include "proto/base/cleanup.h"

static void descriptor_done(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    (void)result;
    (void)fd;
    (void)descriptor_close(&server->descriptors, work->fd);
    free(work);
}

/* If there is no memory for the job, or no worker any more, closing is all that can be done. */
static void do_with_descriptor(struct server *server, struct job job, uint32_t user, int fd)
{
    struct work *work = server->is_closing ? NULL : calloc(1, sizeof *work);
    if (!work) {
        (void)fd_close(fd);
        return;
    }
    work->job = job;
    work->fd = fd;
    work->user = user;
    work->done = descriptor_done;
    descriptor_note(&server->descriptors, fd, DESCRIPTOR_PASSING);
    workers_do(server, work);
}

void descriptor_close_later(struct server *server, uint32_t user, int fd)
{
    do_with_descriptor(server, (struct job){.kind = JOB_CLOSE}, user, fd);
}

void descriptor_end_unexplained(struct server *server, char kept_as, int fd)
{
    const struct backend *backend = backend_kept_as(kept_as);
    bool is_freed = backend && !backend->is_programs;
    const struct job job = {.kind = is_freed ? JOB_FREE : JOB_CLOSE,
                            .backend = block_file_is_one(fd) ? BACKEND_SPILL : BACKEND_MEMFD};
    do_with_descriptor(server, job, getuid(), fd);
}

void descriptors_tidy(struct server *server)
{
    do_with_descriptor(server, (struct job){.kind = JOB_TIDY}, getuid(), -EBADF);
}
