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
#include "proto/message.h"

enum job_kind {
    JOB_MAKE,     /* a segment; the result brings its descriptor */
    JOB_FREE,     /* give its memory back; the descriptor comes with the job */
    JOB_SEAL,     /* prove that nobody can write to it any more; likewise */
    JOB_LOOK,     /* at size and blocks; likewise */
    JOB_CLOSE,    /* nothing else; likewise */
    JOB_MEASURE,  /* the length of a program's own file, by its name */
    JOB_REOPEN,   /* a control page that clients have; its descriptor comes with the job, another with the result */
    JOB_ASK_SOLE, /* whether nobody else has a control page open any more; likewise, without another */
    JOB_TIDY,     /* remove what earlier daemons left */
};

/* How the pages of a segment are to be had, if its location has a choice. */
struct job_pages {
    enum huge_pages huge_pages;
    int32_t numa_node; /* -1: no binding */
    bool interleave;   /* between the NUMA nodes */
    bool prefault;
};

struct job {
    enum job_kind kind;
    unsigned backend;            /* of the segment (backend.h) */
    uint64_t segment;            /* for the log: which one it is about, 0: none */
    uint64_t bytes, least_bytes; /* with huge pages, and without */
    uint64_t size;               /* a file's exact length */
    struct job_pages pages;
    bool is_publishable; /* a borrower may have added seals */
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
    int readable, writable; /* made: other open files of the segment, for its borrowers; -EBADF: none */
};

enum { JOBS_PER_PACKET = 64, JOB_DESCRIPTORS = 3 /* that a job can make */ };

/* Whether the job takes a descriptor with it. */
static inline bool job_takes_descriptor(enum job_kind kind)
{
    return kind == JOB_FREE || kind == JOB_LOOK || kind == JOB_CLOSE || kind == JOB_SEAL || kind == JOB_REOPEN ||
           kind == JOB_ASK_SOLE;
}

/* Whether it needs the lock of the directory of named files, which any user may hold. */
bool job_needs_directory(const struct job *job);

/*
 * Whether another worker may do a job during which one died. Freeing must be done. A job that leaves nothing half done
 * is tried once more, but not again and again: the job itself may be what kills workers.
 */
bool job_can_be_repeated(const struct job *job, bool was_repeated);

/* For the log: what happens to the segment meanwhile. */
const char *job_words(const struct job *job);
