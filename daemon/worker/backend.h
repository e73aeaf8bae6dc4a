/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends: what a segment is made of, each as a table of functions in a file of its own. Workers call `make`, `free`
 * and `look`, which may wait for as long as a process holds an inode; the rest never waits. Nothing else in the
 * daemon knows how a segment of some location is made.
 */
#pragma once

#include "daemon/worker/job.h"
#include "proto/base/location.h"

struct workshop;

enum backend_kind { BACKEND_MEMFD, BACKEND_SPILL, BACKEND_NAMED, BACKENDS };

struct backend {
    const char *making, *freeing; /* for the log: what happens to the segment meanwhile */
    char kept_as;                 /* the letter under which its descriptors are kept for a restart (fdstore_names.h) */
    bool has_own_lock;            /* making one needs the lock of the directory of named files */
    bool can_be_made_again;       /* a worker that dies while it makes one leaves nothing behind that is half made */
    bool is_closed_at_once;       /* closing the last descriptor takes no time, once it was freed */
    bool brings_others;           /* making one that can be published brings its other open files, too */
    bool is_programs;             /* its bytes outlive the lease: what no record explains is closed and not freed */

    /* Whether making it takes microseconds and waits for nobody: then the loop does it. */
    bool (*is_quick)(const struct job *job);

    /* Returns the descriptor or negative errno. */
    int (*make)(const struct workshop *workshop, const struct job *job, struct job_result *ret);

    /* Makes a quick one of a blank memfd (os/memfd.h), which it takes. NULL: it is made of something else. */
    int (*make_of)(int blank, const struct job *job);

    /* Gives its memory back, and looks at how it was. The descriptor stays the caller's. 0 or negative errno. */
    int (*free)(int fd, const struct job *job, struct job_result *ret);

    /* Proves that no byte of it can change any more (block_file.h, memfd.h). NULL: it can't be published. */
    int (*seal)(int fd, const struct job *job);

    /* Whether that was proven of it before, if it was kept for a restart. It waits for nobody. NULL: likewise. */
    bool (*is_sealed)(int fd);

    /* 0 or negative errno. */
    int (*look)(int fd, struct job_result *ret);

    /* Whether one of this length still looks as it was made. */
    bool (*is_intact)(uint64_t length, const struct inode_view *view);

    /* The exact length of one that an earlier daemon made, of so many bytes in whole pages. */
    uint64_t (*adopt)(uint64_t bytes, uint64_t file_bytes);

    /* Whether a descriptor of one may be shown with this target in /proc/self/fd. */
    bool (*is_target)(const struct workshop *workshop, const char *target);

    /* The directory where it is made, for error messages; NULL: it needs none. */
    const char *(*directory)(const struct workshop *workshop);

    /* The length that a program's file has now, in `ret`: 0 or negative errno. Removes what earlier daemons left.
     * NULL: there is no such thing. */
    int (*measure)(const struct workshop *workshop, const struct job *job, struct job_result *ret);
    void (*tidy)(const struct workshop *workshop);
};

extern const struct backend backend_memfd, backend_spill, backend_named;

const struct backend *backend_get(enum backend_kind kind);

/* The backend of a location, or of a file that a program has named there. */
enum backend_kind backend_of(enum location location, bool has_name);

/* The backend whose descriptors are kept under this letter; NULL: none are. Those of one letter are freed alike. */
const struct backend *backend_kept_as(char letter);

/* The kind whose descriptors are shown with this target in /proc/self/fd; BACKENDS: none are. */
enum backend_kind backend_with_target(const struct workshop *workshop, const char *target);
