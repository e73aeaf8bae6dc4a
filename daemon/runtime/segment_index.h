/* SPDX-License-Identifier: Apache-2.0 */
/* Segments by the numbers of their descriptors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment_file;

struct segment_index {
    struct segment_file **by_fd; /* `fd` and `writable` of each */
    size_t size, count;          /* of numbers; of segments */
};

/* A segment, for those who may outlive it. */
struct segment_mark {
    int fd; /* -EBADF: none */
    uint64_t segment;
};

/* False: memory is short. */
bool segment_index_add(struct segment_index *index, struct segment_file *file);
void segment_index_remove(struct segment_index *index, const struct segment_file *file);

/* Its descriptor for writing is about to be closed. */
void segment_index_forget_writable(struct segment_index *index, const struct segment_file *file);

/* The segment that lends this descriptor for writing, if it can be published. */
struct segment_mark segment_index_mark(const struct segment_index *index, int writable);

/* A worker is about to close a copy of that descriptor; has closed it, which the proof that nobody can write waits for.
 */
void segment_index_note_closing(const struct segment_index *index, struct segment_mark lender);
void segment_index_note_closed(const struct segment_index *index, struct segment_mark lender);
