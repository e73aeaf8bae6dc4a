/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/descriptor_jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/os/block_file.h"
#include "daemon/os/open_file.h"
#include "daemon/runtime/server.h"
#include "daemon/worker/backend.h"
#include "proto/base/cleanup.h"
#include "proto/base/container.h"

struct descriptor_job {
    struct work work;
    struct segment_mark lender; /* of which it closes a copy */
};

static const struct segment_mark no_lender = {.fd = -EBADF};

static void descriptor_done(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct descriptor_job *done = container_of(work, struct descriptor_job, work);
    (void)fd;
    (void)descriptor_close(&server->descriptors, work->fd);
    if (result->error != -ECANCELED) { /* the daemon does not end */
        segment_index_note_closed(&server->segments.index, done->lender);
    }
    free(done);
}

/* If there is no memory for the job, or no worker any more, closing is all that can be done. */
static void do_with_descriptor(struct server *server, struct job job, uint32_t user, int fd, struct segment_mark lender)
{
    struct descriptor_job *new = server->is_closing ? NULL : calloc(1, sizeof *new);
    if (!new) {
        (void)fd_close(fd);
        return;
    }
    new->work.job = job;
    new->work.fd = fd;
    new->work.user = user;
    new->work.done = descriptor_done;
    new->lender = lender;
    descriptor_note(&server->descriptors, fd, DESCRIPTOR_PASSING);
    segment_index_note_closing(&server->segments.index, lender);
    workers_do(server, &new->work);
}

void descriptor_close_later(struct server *server, uint32_t user, int fd)
{
    descriptor_close_copy_later(server, user, fd, no_lender);
}

void descriptor_close_copy_later(struct server *server, uint32_t user, int fd, struct segment_mark lender)
{
    do_with_descriptor(server, (struct job){.kind = JOB_CLOSE, .segment = lender.segment}, user, fd, lender);
}

void descriptor_end_unexplained(struct server *server, char kept_as, int fd)
{
    const struct backend *backend = backend_kept_as(kept_as);
    bool is_freed = backend && !backend->is_programs && open_file_is_nameless(fd, 0);
    const struct job job = {.kind = is_freed ? JOB_FREE : JOB_CLOSE,
                            .backend = block_file_is_one(fd) ? BACKEND_SPILL : BACKEND_MEMFD};
    do_with_descriptor(server, job, getuid(), fd, no_lender);
}

void descriptors_tidy(struct server *server)
{
    do_with_descriptor(server, (struct job){.kind = JOB_TIDY}, getuid(), -EBADF, no_lender);
}
