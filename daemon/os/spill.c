/* SPDX-License-Identifier: Apache-2.0 */
/* Files without names, allocated in full. */
#include "daemon/os/spill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/size.h"

#define NAME_PREFIX "membroker-segment-"

enum { NAME_BYTES = 80 };

/* ---- clean-up ---- */

static void own_prefix(const struct spill *spill, char prefix[NAME_BYTES])
{
    (void)snprintf(prefix, NAME_BYTES, NAME_PREFIX "%" PRIx64 "-", spill->owner);
}

void spill_tidy(const struct spill *spill)
{
    char own[NAME_BYTES];
    DIR *stream = opendir(spill->path);
    const struct dirent *entry;
    own_prefix(spill, own);
    while (stream && (entry = readdir(stream))) {
        if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0 &&
            strncmp(entry->d_name, own, strlen(own)) != 0) {
            (void)unlinkat(dirfd(stream), entry->d_name, 0);
        }
    }
    if (stream) {
        (void)closedir(stream);
    }
}

/* ---- allocation ---- */

/* False: the file system won't say, or has no bound (a tmpfs without a size has no blocks at all). */
static bool read_space(int fd, struct statvfs *ret)
{
    return fstatvfs(fd, ret) == 0 && ret->f_blocks > 0;
}

uint64_t spill_free_bytes(int fd)
{
    struct statvfs status;
    return fstatvfs(fd, &status) < 0 ? 0 : (uint64_t)status.f_bavail * status.f_frsize;
}

/* The kernel lets root use the reserved blocks. The broker must not use them, even if it runs as root. */
static bool has_space(int fd, uint64_t bytes)
{
    struct statvfs space;
    struct stat status;
    if (!read_space(fd, &space) || fstat(fd, &status) < 0) {
        return true;
    }
    uint64_t missing = size_subtract_floored(bytes, (uint64_t)status.st_blocks * 512);
    return missing <= (uint64_t)space.f_bavail * space.f_frsize;
}

/* Another process may have allocated at the same time. */
static bool took_reserved_blocks(int fd)
{
    struct statvfs space;
    return read_space(fd, &space) && space.f_bavail == 0 && space.f_bfree > 0;
}

static int allocate(int fd, uint64_t bytes)
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

int spill_allocate(int fd, uint64_t bytes)
{
    int result = has_space(fd, bytes) ? allocate(fd, bytes) : -ENOSPC;
    return result == 0 && took_reserved_blocks(fd) ? -ENOSPC : result;
}

/* ---- files ---- */

static int create_named(const struct spill *spill, int directory)
{
    static unsigned counter;
    char prefix[NAME_BYTES], name[NAME_BYTES + 32];
    own_prefix(spill, prefix);
    (void)snprintf(name, sizeof name, "%s%d-%u", prefix, getpid(), counter++);
    int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    (void)unlinkat(directory, name, 0);
    return fd;
}

/* O_EXCL: a borrower can't link it into a directory by its descriptor. */
static int create_unnamed(const struct spill *spill, int directory)
{
    int fd = openat(directory, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        return fd;
    }
    /* the two codes by which file systems and old kernels say that they have no O_TMPFILE */
    return errno == EOPNOTSUPP || errno == EISDIR ? create_named(spill, directory) : -errno;
}

int spill_create(const struct spill *spill, uint64_t bytes, uint64_t *ret_free)
{
    cleanup(fd_closep) int directory = open(spill->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return -errno;
    }
    cleanup(fd_closep) int fd = create_unnamed(spill, directory);
    int result = fd < 0 ? fd : spill_allocate(fd, bytes);
    if (result < 0) {
        fd = fd_close(fd); /* what was allocated is free again before we look */
        *ret_free = spill_free_bytes(directory);
        return result;
    }
    return fd_steal(&fd);
}
