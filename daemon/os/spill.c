/* SPDX-License-Identifier: Apache-2.0 */
/* Files without names, allocated in full. */
#include "daemon/os/spill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

#define NAME_PREFIX "membroker-segment-"

static void remove_leftovers(int directory)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream) {
        (void)fd_close(copy);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0) {
            (void)unlinkat(directory, entry->d_name, 0);
        }
    }
    (void)closedir(stream);
}

int spill_open(const char *path, struct spill *ret)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    remove_leftovers(fd);
    *ret = (struct spill){.fd = fd, .path = path};
    return 0;
}

void spill_close(struct spill *spill)
{
    spill->fd = fd_close(spill->fd);
}

static int create_named(const struct spill *spill)
{
    char name[64];
    static _Atomic unsigned counter;
    (void)snprintf(name, sizeof name, NAME_PREFIX "%d-%u", getpid(), counter++);
    int fd = openat(spill->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    (void)unlinkat(spill->fd, name, 0);
    return fd;
}

static int create_unnamed(const struct spill *spill)
{
    int fd = openat(spill->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        return fd;
    }
    /* the two codes by which file systems and old kernels say that they have no O_TMPFILE */
    return errno == EOPNOTSUPP || errno == EISDIR ? create_named(spill) : -errno;
}

int spill_allocate(int fd, uint64_t bytes)
{
    int result;
    do {
        result = fallocate(fd, 0, 0, (off_t)bytes) < 0 ? errno : 0;
    } while (result == EINTR);
    if (result == EOPNOTSUPP) {
        do {
            result = posix_fallocate(fd, 0, (off_t)bytes);
        } while (result == EINTR);
    }
    return -result;
}

int spill_create(const struct spill *spill, uint64_t bytes, uint64_t *ret_free)
{
    cleanup(fd_closep) int fd = create_unnamed(spill);
    int result = fd < 0 ? fd : spill_allocate(fd, bytes);
    if (result < 0) {
        fd = fd_close(fd); /* what was allocated is free again before we look */
        *ret_free = directory_free_bytes(spill->fd);
        return result;
    }
    return fd_steal(&fd);
}

uint64_t directory_free_bytes(int directory)
{
    struct statvfs status;
    if (fstatvfs(directory, &status) < 0) {
        return 0;
    }
    return (uint64_t)status.f_bavail * status.f_frsize;
}
