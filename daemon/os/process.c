/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, by /proc and pidfds. */
#include "daemon/os/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

static int read_text(const char *path, char *ret, size_t size)
{
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && length < size) {
        got = read(fd, ret + length, size - length);
        length += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        return -errno;
    }
    if (length == size) {
        return -E2BIG;
    }
    ret[length] = '\0';
    return 0;
}

/* The number is another process's only if the one that we mean has ended before. */
int process_read_control_groups(int32_t pid, int pidfd, char *ret, size_t size)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
    int result = pid > 0 && pidfd >= 0 ? read_text(path, ret, size) : -ENOSYS;
    if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH) {
        result = -ESRCH;
    }
    return result;
}

int process_read_groups(int32_t pid, char *ret, size_t size)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
    return pid > 0 ? read_text(path, ret, size) : -ESRCH;
}

int process_read_state(int32_t pid, char *ret_state, uint32_t *ret_uid)
{
    enum { STATUS_SIZE = 16384 };
    char path[32], text[STATUS_SIZE];
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    int result = read_text(path, text, sizeof text);
    if (result < 0) {
        return result;
    }
    const char *state = strstr(text, "\nState:\t"), *uid = state ? strstr(state, "\nUid:\t") : NULL;
    if (!uid) {
        return -EBADMSG;
    }
    *ret_state = state[sizeof "\nState:\t" - 1];
    *ret_uid = (uint32_t)strtoul(uid + sizeof "\nUid:\t" - 1, NULL, 10);
    return 0;
}

static bool is_left_out(int result)
{
    return result == -ENOENT || result == -ESRCH || result == -E2BIG || result == -ENAMETOOLONG;
}

int process_each(char *text, size_t size, void (*look)(void *argument, int32_t pid, const char *text), void *argument)
{
    const struct dirent *entry;
    int result = 0;
    DIR *directory = opendir("/proc");
    if (!directory) {
        return -errno;
    }
    while (result == 0 && (errno = 0, entry = readdir(directory))) {
        char path[sizeof "/proc//cgroup" + sizeof entry->d_name];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%s/cgroup", entry->d_name);
        result = read_text(path, text, size);
        if (result == 0) {
            look(argument, (int32_t)strtol(entry->d_name, NULL, 10), text);
        }
        result = is_left_out(result) ? 0 : result;
    }
    result = result == 0 && errno ? -errno : result;
    (void)closedir(directory);
    return result;
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

bool process_has_ended(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return poll(&end, 1, 0) > 0;
}
