/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of job does; what a segment is made of is its backend's. */
#include "daemon/worker/perform.h"

#include <errno.h>
#include <fcntl.h>

#include "daemon/os/fault.h"
#include "daemon/os/memfd.h"
#include "daemon/os/open_file.h"
#include "daemon/worker/backend.h"
#include "proto/base/cleanup.h"

static void tidy_all(const struct workshop *workshop)
{
    for (enum backend_kind kind = 0; kind < BACKENDS; kind++) {
        if (backend_get(kind)->tidy) {
            backend_get(kind)->tidy(workshop);
        }
    }
}

int perform_job(const struct workshop *workshop, const struct job *job, int fd, struct job_result *ret)
{
    const struct backend *backend = backend_get((enum backend_kind)job->backend);
    cleanup(fd_closep) int given = fd;
    int result = 0;
    *ret = (struct job_result){.readable = -EBADF, .writable = -EBADF};
    switch (job->kind) {
    case JOB_MAKE:
        result = backend->make(workshop, job, ret);
        fault_in_worker("make");
        break;
    case JOB_FREE:
        result = backend->free(given, job, ret);
        break;
    case JOB_SEAL:
        result = backend->seal(given, job);
        fault_in_worker("seal");
        break;
    case JOB_LOOK:
        result = backend->look(given, ret);
        break;
    case JOB_MEASURE:
        result = backend->measure(workshop, job, ret);
        fault_in_worker("measure");
        break;
    case JOB_REOPEN:
        result = open_file_again(given, O_RDONLY);
        break;
    case JOB_ASK_SOLE:
        ret->is_sole = open_file_is_sole(given) && memfd_control_empty(given) == 0;
        fault_hold_worker("ask");
        break;
    case JOB_TIDY:
        tidy_all(workshop);
        break;
    case JOB_CLOSE:
        fault_hold_worker("close");
        break;
    }
    ret->error = result < 0 ? result : 0;
    return (job->kind == JOB_MAKE || job->kind == JOB_REOPEN) && result >= 0 ? result : -EBADF;
}
