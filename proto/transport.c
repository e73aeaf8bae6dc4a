/* SPDX-License-Identifier: Apache-2.0 */
/* sendmsg and recvmsg with SCM_RIGHTS, for packets of this protocol. */
#include "proto/transport.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/without_const.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

/* Room for what a hostile sender may attach beyond what is expected, so that it can be closed. */
enum { CONTROL_DESCRIPTORS = 16 };

int transport_send(int socket, const void *packet, size_t bytes, int fd, _Bool wait)
{
    return transport_send_several(socket, packet, bytes, &fd, fd >= 0, wait);
}

int transport_send_several(int socket, const void *packet, size_t bytes, const int *fds, size_t count, _Bool wait)
{
    struct iovec vector = {.iov_base = without_const(packet), .iov_len = bytes};
    union {
        char space[CMSG_SPACE(TRANSPORT_DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count > 0) {
        const struct cmsghdr header = {
            .cmsg_len = CMSG_LEN(count * sizeof *fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        control.align = header;
        memcpy(CMSG_DATA(&control.align), fds, count * sizeof *fds);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Hands the first descriptors to the caller and closes the rest. */
static void take_descriptors(const struct cmsghdr *header, struct packet_descriptors *ret)
{
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        if (ret->count < TRANSPORT_DESCRIPTORS_MAX) {
            ret->fd[ret->count++] = fd;
        } else {
            (void)close(fd);
        }
    }
}

static void take_control(struct msghdr *message, struct packet_descriptors *ret)
{
    struct cmsghdr *header = ret ? CMSG_FIRSTHDR(message) : NULL;
    for (; header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            take_descriptors(header, ret);
        }
    }
}

static void close_all(struct packet_descriptors *descriptors)
{
    for (; descriptors && descriptors->count; descriptors->count--) {
        (void)close(descriptors->fd[descriptors->count - 1]);
    }
}

int transport_refuse_descriptors(int socket)
{
    int off = 0;
    return setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) < 0 ? -errno : 0;
}

bool transport_refuses_descriptors(int socket)
{
    int passes = 1;
    socklen_t size = sizeof passes;
    return getsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &passes, &size) == 0 && !passes;
}

bool transport_has_ended(int socket)
{
    struct pollfd end = {.fd = socket, .events = POLLRDHUP};
    return poll(&end, 1, 0) != 0;
}

int transport_unread(int socket)
{
    int bytes;
    return ioctl(socket, SIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

ssize_t transport_receive(int socket, void *packet, size_t size, struct packet_descriptors *ret, _Bool wait)
{
    struct iovec vector = {.iov_base = packet, .iov_len = size};
    union {
        char space[CMSG_SPACE(CONTROL_DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t received;
    if (ret) {
        ret->count = 0;
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
    }
    do {
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return -errno;
    }
    take_control(&message, ret);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        close_all(ret);
        return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EBADF;
    }
    return received;
}

/* Looks at the packet without receiving it. Returns 0, -EBADF: it brings descriptors, or negative errno: there is none.
 */
static int peek(int socket)
{
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1}; /* without room for descriptors: none is received */
    ssize_t received;
    do {
        received = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : message.msg_flags & MSG_CTRUNC ? -EBADF : 0;
}

ssize_t transport_receive_bare(int socket, void *packet, size_t size, _Bool may_bring)
{
    int result = may_bring ? peek(socket) : 0;
    return result < 0 ? result : transport_receive(socket, packet, size, NULL, false);
}
