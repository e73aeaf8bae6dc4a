/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/segment_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/os/open_file.h"
#include "daemon/runtime/descriptor_jobs.h"
#include "daemon/runtime/server.h"
#include "daemon/worker/backend.h"
#include "proto/base/cleanup.h"

/* Takes the descriptor, or the error. */
static int take_other(struct segment_file *file, int fd, int *ret)
{
    struct descriptor_uses *uses = &file->server->descriptors;
    if (fd >= uses->ceiling) {
        (void)close(fd);
        fd = -EMFILE;
    }
    if (fd < 0) {
        return fd;
    }
    descriptor_note(uses, fd, DESCRIPTOR_SEGMENT);
    *ret = fd;
    return 0;
}

/* Closing a descriptor of a file can take the file system's time, even if it is not the last one. */
static void close_other(struct segment_file *file, int *fd)
{
    int other = fd_steal(fd);
    if (other < 0) {
        return;
    }
    descriptor_forget(&file->server->descriptors, other);
    if (segment_backend(file)->is_closed_at_once) {
        (void)fd_close(other);
    } else {
        descriptor_close_later(file->server, file->work.user, other);
    }
}

void segment_close_writable(struct segment_file *file)
{
    segment_index_forget_writable(&file->server->segments.index, file);
    close_other(file, &file->writable);
}

void segment_close_others(struct segment_file *file)
{
    segment_close_writable(file);
    close_other(file, &file->readable);
}

int segment_open_others(struct segment_file *file, enum segment_lending lending)
{
    int result = 0;
    if (lending != LENDS_WRITABLE) {
        result = take_other(file, open_file_again(file->fd, O_RDONLY), &file->readable);
    }
    if (result == 0 && lending == LENDS_BOTH) {
        result = take_other(file, open_file_again(file->fd, O_RDWR), &file->writable);
    }
    if (result < 0) {
        segment_close_others(file);
    }
    return result;
}

int segment_take_others(struct segment_file *file, int readable, int writable)
{
    int result = take_other(file, readable, &file->readable);
    int second = take_other(file, writable, &file->writable);
    result = result < 0 ? result : second;
    if (result < 0) {
        segment_close_others(file);
    }
    return result;
}

bool segment_enter(struct segment_file *file)
{
    bool fits = segment_index_add(&file->server->segments.index, file);
    if (fits) {
        descriptor_note(&file->server->descriptors, file->fd, DESCRIPTOR_SEGMENT);
    }
    return fits;
}

void segment_remove(struct segment_file *file)
{
    descriptor_forget(&file->server->descriptors, file->fd);
    segment_index_remove(&file->server->segments.index, file);
}
