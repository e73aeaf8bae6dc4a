/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/segment_index.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/runtime/segments.h"

static bool reserve(struct segment_index *index, int fd)
{
    size_t wanted = (size_t)fd + 1;
    if (wanted <= index->size) {
        return true;
    }
    size_t size = wanted * 2;
    struct segment_file **by_fd = reallocarray(index->by_fd, size, sizeof(struct segment_file *));
    if (!by_fd) {
        return false;
    }
    for (size_t i = index->size; i < size; i++) {
        by_fd[i] = NULL;
    }
    index->by_fd = by_fd;
    index->size = size;
    return true;
}

static struct segment_file *find(const struct segment_index *index, int fd)
{
    return fd >= 0 && (size_t)fd < index->size ? index->by_fd[fd] : NULL;
}

bool segment_index_add(struct segment_index *index, struct segment_file *file)
{
    if (!reserve(index, file->writable > file->fd ? file->writable : file->fd)) {
        return false;
    }
    index->by_fd[file->fd] = file;
    if (file->writable >= 0) {
        index->by_fd[file->writable] = file;
    }
    index->count++;
    return true;
}

void segment_index_forget_writable(struct segment_index *index, const struct segment_file *file)
{
    if (find(index, file->writable) == file) {
        index->by_fd[file->writable] = NULL;
    }
}

/* The memory goes with the last segment: many clients leave nothing behind. */
void segment_index_remove(struct segment_index *index, const struct segment_file *file)
{
    segment_index_forget_writable(index, file);
    index->by_fd[file->fd] = NULL;
    if (--index->count == 0) {
        free((void *)index->by_fd);
        index->by_fd = NULL;
        index->size = 0;
    }
}

struct segment_mark segment_index_mark(const struct segment_index *index, int writable)
{
    const struct segment_file *file = find(index, writable);
    bool is_lender = file && file->writable == writable;
    return is_lender ? (struct segment_mark){file->fd, segment_id(file)} : (struct segment_mark){.fd = -EBADF};
}

/* NULL: it is gone. */
static struct segment_file *find_marked(const struct segment_index *index, struct segment_mark mark)
{
    struct segment_file *file = find(index, mark.fd);
    return file && segment_id(file) == mark.segment ? file : NULL;
}

void segment_index_note_closing(const struct segment_index *index, struct segment_mark lender)
{
    struct segment_file *file = find_marked(index, lender);
    if (file) {
        file->closing++;
    }
}

void segment_index_note_closed(const struct segment_index *index, struct segment_mark lender)
{
    struct segment_file *file = find_marked(index, lender);
    if (file && --file->closing == 0 && file->when_closed) {
        void (*when_closed)(struct segment_file *) = file->when_closed;
        file->when_closed = NULL;
        when_closed(file);
    }
}
