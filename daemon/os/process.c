/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, by /proc and pidfds. */
#include "daemon/os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

enum { STARTTIME_FIELD = 22 };

uint64_t process_started_at(int32_t pid)
{
    char path[32], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    char *at = strrchr(text, ')'); /* the name before may hold anything */
    for (int field = 2; at && field < STARTTIME_FIELD; field++) {
        at = strchr(at + 1, ' ');
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

int process_open(int32_t pid, uint64_t started_at)
{
    cleanup(fd_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        return -errno;
    }
    uint64_t started = process_started_at(pid);
    if (!started) {
        return -EAGAIN; /* it is there, but can't be looked at now */
    }
    return started == started_at ? fd_steal(&fd) : -ESRCH;
}
