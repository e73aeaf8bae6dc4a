/* SPDX-License-Identifier: Apache-2.0 */
/* Opening through /proc/self/fd, and F_SETLEASE. */
#include "daemon/os/open_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "proto/base/cleanup.h"

int open_file_again(int fd, int access)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, access | O_NONBLOCK | O_CLOEXEC); /* a client's lease of the file would have us wait */
    return again < 0 ? -errno : again;
}

int open_file_check_writers(int fd)
{
    cleanup(fd_closep) int readable = open_file_again(fd, O_RDONLY);
    if (readable < 0) {
        return readable;
    }
    if (fcntl(readable, F_SETLEASE, F_RDLCK) < 0) {
        return errno == EAGAIN ? -EBUSY : -errno;
    }
    (void)fcntl(readable, F_SETLEASE, F_UNLCK);
    return 0;
}

bool open_file_is_nameless(int fd, uint64_t bytes)
{
    struct stat seen;
    return fstat(fd, &seen) == 0 && S_ISREG(seen.st_mode) && seen.st_nlink == 0 &&
           (bytes == 0 || (uint64_t)seen.st_size == bytes);
}

bool open_file_is_sole(int fd)
{
    bool is_sole = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
    if (is_sole) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    }
    return is_sole;
}
