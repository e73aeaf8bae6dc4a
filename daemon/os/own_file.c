/* SPDX-License-Identifier: Apache-2.0 */
/* No link is followed, and no pipe is waited for. */
#include "daemon/os/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

static int check(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return errno;
    }
    return S_ISREG(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 022) ? 0 : EPERM;
}

FILE *own_file_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        errno = errno == ELOOP ? EPERM : errno;
        return NULL;
    }
    int error = check(fd);
    FILE *file = error ? NULL : fdopen(fd, "r");
    if (!file) {
        error = error ? error : errno;
        (void)fd_close(fd);
        errno = error;
    }
    return file;
}
