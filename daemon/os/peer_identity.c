/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials and pidfds of connected peers. */
#include "daemon/os/peer_identity.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int peer_identity(int socket, struct identity *ret)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
        return -errno;
    }
    *ret = (struct identity){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
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
