/* SPDX-License-Identifier: Apache-2.0 */
/* sendmsg and recvmsg with SCM_RIGHTS, between processes that trust each other. */
#include "daemon/os/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/without_const.h"

union control_space {
    char space[CMSG_SPACE(CHANNEL_DESCRIPTORS_MAX * sizeof(int))];
    struct cmsghdr align;
};

int channel_open(int ret[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

static void attach(struct msghdr *message, union control_space *control, const int *descriptors, size_t count)
{
    message->msg_control = control->space;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = &control->align; /* the first: the address of the space */
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
}

int channel_send(int channel, const void *packet, size_t bytes, const int *descriptors, size_t count, bool wait)
{
    struct iovec vector = {.iov_base = without_const(packet), .iov_len = bytes};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union control_space control = {0};
    if (count) {
        attach(&message, &control, descriptors, count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(channel, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static size_t detach(struct msghdr *message, int *ret_descriptors)
{
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(ret_descriptors, CMSG_DATA(header), bytes);
    return bytes / sizeof(int);
}

ssize_t channel_receive(int channel, void *packet, size_t bytes, int *ret_descriptors, size_t *ret_count, bool wait)
{
    struct iovec vector = {.iov_base = packet, .iov_len = bytes};
    union control_space control;
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t received;
    *ret_count = 0;
    do {
        received = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return -errno;
    }
    *ret_count = detach(&message, ret_descriptors);
    if (!(message.msg_flags & MSG_CTRUNC)) {
        return received;
    }
    while (*ret_count) {
        (void)close(ret_descriptors[--*ret_count]);
    }
    return -EMFILE;
}
