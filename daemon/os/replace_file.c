/* SPDX-License-Identifier: Apache-2.0 */
/* Write, fsync, rename. */
#include "daemon/os/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/os/make_directories.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"

static void make_directory(const char *path)
{
    char directory[PATH_MAX];
    text_copy(directory, sizeof directory, path);
    char *slash = strrchr(directory, '/');
    if (slash && slash > directory) {
        *slash = '\0';
        (void)make_directories(directory); /* else the file can't be opened, which is told */
    }
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_beside(const char *beside, const void *bytes, size_t size)
{
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int result = write_all(fd, bytes, size);
    (void)fd_close(fd); /* what could go wrong with its bytes did so at the fsync */
    return result;
}

int replace_file(const char *path, const void *bytes, size_t size)
{
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside) {
        return -ENAMETOOLONG;
    }
    make_directory(path);
    int result = write_beside(beside, bytes, size);
    if (result == 0 && rename(beside, path) < 0) {
        result = -errno;
    }
    if (result < 0) {
        (void)unlink(beside);
    }
    return result;
}
