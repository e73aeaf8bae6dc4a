/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/measure.h"

union control {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

void packet_send(int socket, char packet[PACKET_BYTES], int fd)
{
    struct iovec part = {packet, PACKET_BYTES};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control = {0};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) != PACKET_BYTES)
        measure_fail_errno("sendmsg");
}

int packet_receive(int socket, char packet[PACKET_BYTES])
{
    int fd = -EBADF;
    struct iovec part = {packet, PACKET_BYTES};
    union control control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != PACKET_BYTES)
        measure_fail_errno("recvmsg");
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

int packet_memfd(size_t bytes)
{
    int fd = memfd_create("lent", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) < 0)
        measure_fail_errno("memfd");
    return fd;
}
