/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces by ioctl and /proc, subordinate ids by libsubid. */
#include "daemon/os/user_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <shadow/subid.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

#ifndef PIDFD_GET_USER_NAMESPACE
#define PIDFD_GET_USER_NAMESPACE _IO(0xFF, 9) /* Linux 6.11 */
#endif

enum { DEPTH_MAX = 33 /* the kernel allows 32 */, CACHE_ENTRIES = 256, CACHE_SECONDS = 30 };

/* ---- namespaces ---- */

/* The number of the process as our /proc has it; 0: it has ended, or is not seen from here. */
static int pid_of(int pidfd)
{
    char path[48], line[128];
    int pid = 0;
    (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "Pid: %d", &pid);
    }
    if (file) {
        (void)fclose(file);
    }
    return pid > 0 ? pid : 0;
}

/* A number may be another process's by now, unless the one that we mean still has it. */
int user_namespace_open_by_proc(int pidfd)
{
    char path[48];
    int pid = pid_of(pidfd);
    if (!pid) {
        return -ESRCH;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
    }
    return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH ? -ESRCH : fd_steal(&fd);
}

int user_namespace_open(int pidfd)
{
    int fd = ioctl(pidfd, PIDFD_GET_USER_NAMESPACE, 0);
    if (fd >= 0) {
        return fd;
    }
    if (errno == ENOTTY || errno == EINVAL || errno == EOPNOTSUPP) {
        return user_namespace_open_by_proc(pidfd);
    }
    return errno == EPERM ? -EACCES : -errno;
}

static bool is_same(int fd, const struct stat *own)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_dev == own->st_dev && status.st_ino == own->st_ino;
}

/* Goes up until the parent is ours. */
static int climb(int namespace, const struct stat *own, uint32_t *ret_owner)
{
    cleanup(fd_closep) int at = namespace;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        cleanup(fd_closep) int parent = ioctl(at, NS_GET_PARENT);
        if (parent < 0) {
            return -errno;
        }
        if (is_same(parent, own)) {
            uid_t owner;
            int result = ioctl(at, NS_GET_OWNER_UID, &owner);
            *ret_owner = result < 0 ? 0 : owner;
            return result < 0 ? -errno : 0;
        }
        (void)fd_close(at);
        at = fd_steal(&parent);
    }
    return -ELOOP;
}

int user_namespace_owner(int pidfd, uint32_t *ret_owner)
{
    static struct stat own; /* it does not change */
    if (!own.st_ino && stat("/proc/self/ns/user", &own) < 0) {
        return -errno;
    }
    cleanup(fd_closep) int namespace = user_namespace_open(pidfd);
    if (namespace < 0) {
        return namespace;
    }
    return is_same(namespace, &own) ? 1 : climb(fd_steal(&namespace), &own, ret_owner);
}

/* ---- subordinate ids ---- */

/* What was found lately: a large /etc/subuid is not read for each connection. */
struct cached {
    uint64_t until; /* s */
    uint32_t uid, owner;
    bool has_owner;
};

static uint64_t seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec;
}

static void look_up(struct cached *entry)
{
    static bool is_silent;
    uid_t *owners = NULL;
    is_silent = is_silent || subid_init("membrokerd", NULL);
    entry->has_owner = subid_get_uid_owners(entry->uid, &owners) > 0;
    entry->owner = entry->has_owner ? owners[0] : 0;
    free(owners);
}

int user_namespace_subordinate_owner(uint32_t uid, uint32_t *ret_owner)
{
    static struct cached cache[CACHE_ENTRIES];
    struct cached *entry = &cache[uid % CACHE_ENTRIES];
    uint64_t now = seconds();
    if (entry->until <= now || entry->uid != uid) {
        *entry = (struct cached){.until = now + CACHE_SECONDS, .uid = uid};
        look_up(entry);
    }
    *ret_owner = entry->owner;
    return entry->has_owner;
}
