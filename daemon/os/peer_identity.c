/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials and pidfds of connected peers. */
#include "daemon/os/peer_identity.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* Of a process with more groups than we look at, the kernel tells none unless there is room for all. */
static uint32_t supplementary_groups(int socket, uint32_t *ret, bool *ret_more)
{
    enum { ALL_MAX = 65536 };
    socklen_t size = IDENTITY_GROUPS_MAX * sizeof(gid_t);
    gid_t *all = NULL;
    *ret_more = false;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, ret, &size) == 0) {
        return size / (uint32_t)sizeof(gid_t);
    }
    if (errno == ERANGE && size <= ALL_MAX * sizeof(gid_t)) {
        all = malloc(size);
    }
    *ret_more = true; /* also where they can't be had */
    bool got = all && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, all, &size) == 0;
    for (size_t i = 0; got && i < IDENTITY_GROUPS_MAX; i++) {
        ret[i] = all[i];
    }
    free(all);
    return got ? IDENTITY_GROUPS_MAX : 0;
}

int peer_identity(int socket, struct identity *ret)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
        return -errno;
    }
    *ret = (struct identity){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
    ret->group_count = supplementary_groups(socket, ret->groups, &ret->has_more_groups);
    return 0;
}

int peer_pidfd(int socket, const struct identity *identity)
{
    int fd = -1;
    socklen_t size = sizeof fd;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) {
        return fd;
    }
    if (errno == ESRCH || errno == EINVAL) {
        return -ESRCH;
    }
    if (errno == EMFILE || errno == ENFILE || identity->pid <= 0) {
        return identity->pid <= 0 ? -ENOSYS : -errno;
    }
    fd = (int)syscall(SYS_pidfd_open, identity->pid, 0);
    return fd < 0 ? -errno : fd;
}
