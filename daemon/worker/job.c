/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/worker/job.h"

#include "daemon/worker/backend.h"

static const struct backend *backend(const struct job *job)
{
    return backend_get((enum backend_kind)job->backend);
}

bool job_needs_directory(const struct job *job)
{
    return (job->kind == JOB_MEASURE || job->kind == JOB_MAKE) && backend(job)->has_own_lock;
}

bool job_can_be_repeated(const struct job *job, bool was_repeated)
{
    switch (job->kind) {
    case JOB_FREE:
        return true;
    case JOB_MAKE:
        return backend(job)->can_be_made_again && !was_repeated;
    case JOB_SEAL:
    case JOB_LOOK:
    case JOB_MEASURE:
    case JOB_REOPEN:
    case JOB_ASK_SOLE:
    case JOB_TIDY:
        return !was_repeated;
    case JOB_CLOSE: /* it is closed already */
        break;
    }
    return false;
}

const char *job_words(const struct job *job)
{
    static const char *const words[] = {
        [JOB_LOOK] = "being looked at",     [JOB_CLOSE] = "being closed", [JOB_MEASURE] = "being measured",
        [JOB_SEAL] = "being sealed",        [JOB_TIDY] = "being tidied",  [JOB_REOPEN] = "being reopened",
        [JOB_ASK_SOLE] = "being looked at",
    };
    return job->kind == JOB_MAKE   ? backend(job)->making
           : job->kind == JOB_FREE ? backend(job)->freeing
                                   : words[job->kind];
}
