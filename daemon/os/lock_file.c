/* SPDX-License-Identifier: Apache-2.0 */
/* open(), flock() and the check that the name still means the file that was locked. */
#include "daemon/os/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

/* A holder that ends removes the file: who has waited for it would have the lock of a file that has no name. */
static bool is_named(const char *path, const struct stat *locked)
{
    struct stat named;
    return lstat(path, &named) == 0 && named.st_dev == locked->st_dev && named.st_ino == locked->st_ino;
}

int lock_file_take(const char *path)
{
    struct stat status;
    cleanup(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) {
        return errno == ELOOP || errno == EACCES || errno == EISDIR ? -EPERM : -errno;
    }
    if (fstat(fd, &status) < 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077)) {
        return -EPERM;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    }
    return is_named(path, &status) ? fd_steal(&fd) : -EBUSY;
}

void lock_file_drop(const char *path, int fd)
{
    (void)unlink(path);
    (void)fd_close(fd);
}
