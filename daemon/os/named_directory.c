/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/os/named_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

/* Of what the path leads to; a server of FUSE is not asked. */
static int look(int fd, dev_t *ret_device, uid_t *ret_owner)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status) < 0) {
        return -errno;
    }
    *ret_device = makedev(status.stx_dev_major, status.stx_dev_minor);
    *ret_owner = status.stx_uid;
    return 0;
}

int named_directory_open(struct named_directory *directory, const char *path)
{
    cleanup(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -errno : look(fd, &directory->device, &directory->owner);
    directory->path = result < 0 ? NULL : realpath(path, NULL);
    if (!directory->path) {
        return result < 0 ? result : -errno;
    }
    directory->fd = fd_steal(&fd);
    return 0;
}

void named_directory_close(struct named_directory *directory)
{
    directory->fd = fd_close(directory->fd);
    free(directory->path);
    directory->path = NULL;
}

/* By the kernel's name for it: not every file system counts the links of directories. */
static bool is_deleted(int directory)
{
    static const char mark[] = " (deleted)";
    char link[32], target[PATH_MAX + sizeof mark];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, target, sizeof target);
    size_t mark_length = sizeof mark - 1;
    return length > (ssize_t)mark_length && memcmp(target + (size_t)length - mark_length, mark, mark_length) == 0;
}

/* Its owner may have deleted it to put a link, or a mount of FUSE, in its place: neither is taken. */
static int reopen(const struct named_directory *directory)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    dev_t device = 0;
    uid_t owner = 0;
    cleanup(fd_closep) int fd = (int)syscall(SYS_openat2, AT_FDCWD, directory->path, &how, sizeof how);
    if (fd < 0 || look(fd, &device, &owner) < 0 || device != directory->device || owner != directory->owner) {
        return -ENOENT;
    }
    return fd_steal(&fd);
}

int named_directory_reach(const struct named_directory *directory)
{
    if (is_deleted(directory->fd)) {
        return reopen(directory);
    }
    int fd = fcntl(directory->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}
