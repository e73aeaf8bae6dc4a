/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials and pidfds of connected peers. */
#include "daemon/os/peer_identity.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/os/user_namespace.h"
#include "proto/base/cleanup.h"

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

/* An administrator's and our own processes are what they are. */
static bool is_trusted(const struct identity *identity)
{
    return identity->uid == 0 || identity->uid == geteuid();
}

/* What says nothing: we may not look at that process, or it is not below our namespace. */
static bool is_unanswered(int result)
{
    return result == -EACCES || result == -EPERM || result == -ENOSYS;
}

/*
 * A process of our own namespace may have a subordinate id, too: by a set-user-id file that was made in a namespace
 * which has that id.
 */
static void find_owner(int socket, struct identity *identity)
{
    uint32_t owner;
    cleanup(fd_closep) int pidfd = is_trusted(identity) ? -EBADF : peer_identity_pidfd(socket, identity);
    if (is_trusted(identity)) {
        return;
    }
    int result = pidfd < 0 ? pidfd : user_namespace_owner(pidfd, &owner);
    if (result == 0) {
        uint32_t user; /* a subordinate id can make a namespace of its own */
        owner = user_namespace_subordinate_owner(owner, &user) ? user : owner;
    } else if (user_namespace_subordinate_owner(identity->uid, &owner)) {
        result = 0;
    } else if (result < 0 && !is_unanswered(result)) {
        owner = IDENTITY_UNKNOWN_OWNER;
        result = 0;
    }
    if (result == 0 && owner != identity->uid) {
        identity->has_owner = true;
        identity->owner = owner;
    }
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
    find_owner(socket, ret);
    return 0;
}

int peer_identity_pidfd(int socket, const struct identity *identity)
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
