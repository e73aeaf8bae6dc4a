/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: what the daemon has worker processes do, as values that travel over a channel. A job is whatever touches an
 * inode or a directory that a client can reach, or takes long: a client can hold an inode's lock for as long as it
 * likes, and the process that asks for the lock then sleeps and can't be killed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/os/inode_view.h"
#include "daemon/os/memfd.h"
#include "proto/message.h"

enum job_kind {
    JOB_MAKE_RAM,   /* a memfd; the result brings its descriptor */
    JOB_MAKE_SPILL, /* a nameless file; likewise */
    JOB_MAKE_NAMED, /* a program's own file; likewise */
    JOB_FREE,       /* truncate to nothing; the descriptor comes with the job */
    JOB_LET_GO,     /* of a program's own file, which keeps its bytes; likewise */
    JOB_LOOK,       /* at size and blocks; likewise */
    JOB_CLOSE,      /* nothing else; likewise */
    JOB_MEASURE,    /* the length of a program's own file, by its name */
    JOB_REOPEN,     /* a control page that clients have; its descriptor comes with the job, another with the result */
    JOB_ASK_SOLE,   /* whether nobody else has a control page open any more; likewise, without another */
    JOB_TIDY,       /* remove what a crash left in the spill directory */
};

struct job {
    enum job_kind kind;
    uint64_t segment;            /* for the log: which one it is about, 0: none */
    uint64_t bytes, least_bytes; /* RAM: with huge pages, and without */
    uint64_t size;               /* a file's exact length */
    struct memfd_options ram;
    bool may_take_least; /* try huge pages, and do without them */
    bool has_transparent_huge_pages;
    uint32_t uid, gid; /* who owns a program's file */
    char file[MESSAGE_NAME_SIZE];
};

struct job_result {
    int32_t error;          /* negative errno; 0: done */
    bool has_huge_pages;    /* made with them */
    bool is_least;          /* made with the least bytes */
    uint64_t disk_free;     /* what the file system has free, if it was full */
    uint64_t file_bytes;    /* measured; 0: there is no such file */
    bool is_sole;           /* asked: nobody else has it */
    struct inode_view view; /* looked at, or as it came back to be freed */
};

enum { JOBS_PER_PACKET = 64 };

/* Whether the job takes a descriptor with it. */
static inline bool job_takes_descriptor(enum job_kind kind)
{
    return kind == JOB_FREE || kind == JOB_LET_GO || kind == JOB_LOOK || kind == JOB_CLOSE || kind == JOB_REOPEN ||
           kind == JOB_ASK_SOLE;
}

static inline bool job_makes(enum job_kind kind)
{
    return kind == JOB_MAKE_RAM || kind == JOB_MAKE_SPILL || kind == JOB_MAKE_NAMED;
}

/*
 * Whether another worker may do what one died at. What is to be freed must be. What leaves nothing behind that is half
 * done is tried once more: not for ever, the work may be what kills workers. A program's own file may be half made, and
 * a descriptor that was to be closed is.
 */
static inline bool job_can_be_repeated(enum job_kind kind, bool was_repeated)
{
    switch (kind) {
    case JOB_FREE:
    case JOB_LET_GO:
        return true;
    case JOB_MAKE_RAM:
    case JOB_MAKE_SPILL:
    case JOB_LOOK:
    case JOB_MEASURE:
    case JOB_REOPEN:
    case JOB_ASK_SOLE:
    case JOB_TIDY:
        return !was_repeated;
    case JOB_MAKE_NAMED:
    case JOB_CLOSE:
        break;
    }
    return false;
}
