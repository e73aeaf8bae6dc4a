/* SPDX-License-Identifier: Apache-2.0 */
/* Does a job, in a worker process. It may wait there for as long as another process holds an inode. */
#pragma once

#include "daemon/worker/job.h"
#include "daemon/worker/workshop.h"

/* Does the job. `fd` came with it, and is closed; -EBADF: none did. Returns the descriptor that goes back, or -EBADF.
 */
int perform_job(const struct workshop *workshop, const struct job *job, int fd, struct job_result *ret);
