/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments' real side: making and freeing memfds and files, on the loop where it takes microseconds
 * and on the thread pool where it may take longer. Each result goes to the core as an input.
 */
#pragma once

#include "daemon/runtime/server.h"

/* What the core holds as a segment's handle. */
struct segment_file {
    struct server *server;
    uint64_t id;
    enum location location;
    uint64_t bytes, least_bytes; /* what it has, and what without huge pages it would */
    struct segment_options options;
    char file[MESSAGE_NAME_SIZE]; /* of a named file; else empty */
    uint64_t size;                /* the file's, exact: at most `bytes`, which are whole pages */
    uint32_t uid, gid;            /* whose file it is */
    int fd;
    bool is_reported;        /* that it was tampered with */
    uint32_t record;         /* in the kept table */
    enum input_kind outcome; /* of the job that was last done */
    struct input_segment result;
    uv_work_t work;
    TAILQ_ENTRY(segment_file) in_results;
};

void segment_make(struct server *server, const struct effect_make *make);
void segment_free(struct server *server, const struct effect_free *to_free);

/* The daemon ends: forgets all that are left as they are, for the next daemon or nobody. */
void segments_close(struct server *server);

/* A segment of before a restart; NULL: out of memory. The descriptor is its own then. And its end without the core. */
struct segment_file *segment_adopt(struct server *server, const struct kept_segment *kept, int fd);
void segment_disown(struct segment_file *file);

/* Frees what stood for a segment that was freed or could not be made, once its result is the core's. */
void segment_forget(struct segment_file *file);

/* What the kernel says of a segment. */
struct segment_kernel_view {
    uint64_t size;
    uint64_t allocated;
};
int segment_look(const struct segment_file *file, struct segment_kernel_view *ret);

/*
 * Whether a living segment is still as it was made: exact size, and as a file with every block
 * allocated and hardly more (file systems count a little of their own).
 */
bool segment_is_intact(const struct segment_file *file, const struct segment_kernel_view *view);
