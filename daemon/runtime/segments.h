/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments' real side: memfds and files. A plain memfd is made on the loop, which takes microseconds, since nobody
 * else can know of it yet. All else is done by worker processes (workers.h), in the lane of the user who has, or is to
 * have, the segment. Each result goes to the core as an input.
 */
#pragma once

#include <uv.h>

#include "daemon/core/restore.h"
#include "daemon/runtime/lanes.h"
#include "daemon/runtime/segment_index.h"
#include "daemon/worker/backend.h"

/* What the core holds as a segment's handle. */
struct segment_file {
    struct server *server;
    struct work work; /* its job has the segment's number, length, file and owner at all times */
    enum location location;
    uint64_t bytes; /* whole pages */
    int fd;
    int readable, writable; /* of one that can be published: other open files, for its borrowers; -EBADF: none */
    uint32_t closing;       /* copies of `writable` that workers are closing */
    void (*when_closed)(struct segment_file *); /* waits for those; NULL: nothing does */
    bool is_reported;                           /* that it was changed by its borrower */
    uint32_t record;                            /* in the kept table */
    enum input_kind outcome;                    /* of the job that was last done */
    struct input_segment result;
    TAILQ_ENTRY(segment_file) in_results; /* or among those that are kept back */
};

static inline uint64_t segment_id(const struct segment_file *file)
{
    return file->work.job.segment;
}

static inline const struct backend *segment_backend(const struct segment_file *file)
{
    return backend_get((enum backend_kind)file->work.job.backend);
}

/* The exact length: at most `bytes`, which are whole pages. */
static inline uint64_t segment_length(const struct segment_file *file)
{
    return file->work.job.size;
}

TAILQ_HEAD(segment_result_queue, segment_file);

struct segments {
    struct segment_result_queue results; /* not yet told to the core */
    struct segment_index index;
    TAILQ_HEAD(kept_back_queue, segment_file) kept_back; /* that a borrower keeps from being freed */
    uv_timer_t kept_back_timer;                          /* runs while there are any */
    bool has_transparent_huge_pages;
};

void segments_init(struct segments *segments);

/* Once the loop is there. */
void segments_start(struct server *server);

static inline bool segments_have_results(const struct segments *segments)
{
    return !TAILQ_EMPTY(&segments->results);
}

/* The next result that the core is to be told; NULL: none is left. */
struct segment_file *segments_take_result(struct segments *segments);

void segment_make(struct server *server, const struct effect_make *make);
void segment_seal(const struct effect_seal *to_seal);
void segment_free(struct server *server, const struct effect_free *to_free);

/* A segment goes to this user: what is done with it is done in the user's lane. */
void segment_lend(struct segment_file *file, uint32_t user);

/* The daemon ends: forgets all that are left as they are, for the next daemon or nobody. */
void segments_close(struct segments *segments);

/*
 * A segment of before a restart, of this user, that is lent so. The descriptor is its own then, unless this fails: with
 * -EPROTO if what was kept is no segment, or a borrower keeps it from being opened; else the daemon lacks something.
 */
int segment_adopt(struct server *server, const struct kept_segment *kept, int fd, uint32_t user,
                  enum segment_lending lending, struct segment_file **ret);

/* Its end without the core. */
void segment_disown(struct segment_file *file);

/* Frees what stood for a segment that was freed or could not be made, once its result is the core's. */
void segment_forget(struct segment_file *file);
