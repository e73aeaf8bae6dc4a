/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and packets: lengths that do not agree, descriptors that are wanted or not, and ends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"
#include "proto/transport.h"

TestSuite(frame);
TestSuite(transport);

Test(frame, the_length_is_that_of_the_payload)
{
    static uint8_t packet[FRAME_BYTES_MAX + 1];
    const uint8_t *payload;
    size_t bytes;
    for (size_t length = 0; length <= MESSAGE_BYTES_MAX; length += length < 300 ? 1 : 4659) {
        frame_write_header(packet, length);
        cr_assert_eq(frame_open(packet, FRAME_HEADER_BYTES + length, &payload, &bytes), 0, "%zu", length);
        cr_assert_eq(bytes, length);
        cr_assert_eq(payload, packet + FRAME_HEADER_BYTES);
        cr_assert_eq(frame_open(packet, FRAME_HEADER_BYTES + length + 1, &payload, &bytes), -EBADMSG);
    }
    frame_write_header(packet, MESSAGE_BYTES_MAX);
    cr_expect_eq(frame_open(packet, FRAME_BYTES_MAX, &payload, &bytes), 0);
    frame_write_header(packet, 5);
    cr_expect_eq(packet[0], 5, "little-endian");
    for (size_t size = 0; size < FRAME_HEADER_BYTES + 5; size++) {
        cr_expect_eq(frame_open(packet, size, &payload, &bytes), -EBADMSG);
    }
    frame_write_header(packet, MESSAGE_BYTES_MAX + 1);
    cr_expect_eq(frame_open(packet, FRAME_BYTES_MAX + 1, &payload, &bytes), -EMSGSIZE);
}

/* ---- packets ---- */

static int ends[2];
static char packet[16];

static void begin(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void send_descriptors(const int *fds, size_t count)
{
    char space[CMSG_SPACE(32 * sizeof(int))] __attribute__((aligned(16))) = {0};
    struct iovec vector = {.iov_base = (char[]){'x'}, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    cr_assert_eq(sendmsg(ends[0], &message, 0), 1);
}

Test(transport, refusing_descriptors_is_no_error_after_an_earlier_failure, .init = begin)
{
    errno = EIO;
    int result = transport_refuse_descriptors(ends[0]);
    cr_expect_eq(result, transport_refuses_descriptors(ends[0]) ? 0 : -ENOPROTOOPT, "%d", result);
}

Test(transport, a_packet_arrives_complete, .init = begin)
{
    struct packet_descriptors descriptors = {.count = 9};
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), -EAGAIN);
    cr_expect_eq(transport_send(ends[0], "hello", 6, -1, false), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), 6);
    cr_expect_str_eq(packet, "hello");
    cr_expect_eq(descriptors.count, 0);
    cr_expect_eq(transport_send(ends[0], "hello", 6, -1, true), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, NULL, true), 6);
    cr_expect_eq(transport_send(ends[0], "0123456789abcdefg", 17, -1, false), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, NULL, false), -EMSGSIZE);
    errno = EINTR; /* of some call before */
    cr_expect_eq(transport_send(ends[0], "", 0, -1, false), 0, "an empty packet is one");
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, NULL, false), 0);
    cr_expect_not(transport_has_ended(ends[1]));
}

Test(transport, a_received_descriptor_is_close_on_exec, .init = begin)
{
    struct packet_descriptors descriptors;
    int before = open_descriptors();
    cr_expect_eq(transport_send(ends[0], "x", 1, 0, false), 0, "any number is a descriptor, 0 too");
    cr_assert_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), 1);
    cr_assert_eq(descriptors.count, 1);
    cr_expect_eq(fcntl(descriptors.fd[0], F_GETFD), FD_CLOEXEC);
    cr_expect_eq(open_descriptors(), before + 1);
    (void)close(descriptors.fd[0]);
}

Test(transport, unexpected_descriptors_are_closed, .init = begin)
{
    struct packet_descriptors descriptors;
    int before = open_descriptors();
    int many[32];
    for (int i = 0; i < 32; i++) {
        many[i] = ends[0];
    }
    cr_expect_eq(transport_send(ends[0], "x", 1, ends[0], false), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, NULL, false), -EBADF);
    cr_expect_eq(open_descriptors(), before);
    send_descriptors(many, 16);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), 1);
    cr_expect_eq(descriptors.count, 2, "the first two; the others are closed");
    cr_expect_eq(open_descriptors(), before + 2);
    (void)close(descriptors.fd[0]);
    (void)close(descriptors.fd[1]);
    cr_expect_eq(transport_send_several(ends[0], "x", 1, many, 2, false), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), 1);
    cr_expect_eq(descriptors.count, 2);
    (void)close(descriptors.fd[0]);
    (void)close(descriptors.fd[1]);
    send_descriptors(many, 17);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), -EBADF, "some were lost");
    cr_expect_eq(descriptors.count, 0);
    cr_expect_eq(open_descriptors(), before);
    cr_expect_eq(transport_send(ends[0], "0123456789abcdefg", 17, ends[0], false), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, &descriptors, false), -EMSGSIZE);
    cr_expect_eq(open_descriptors(), before);
}

Test(transport, a_full_socket_is_reported, .init = begin)
{
    static char large[4096];
    int result = 0;
    for (int i = 0; i < 10000 && result == 0; i++) {
        result = transport_send(ends[0], large, sizeof large, -1, false);
    }
    cr_expect_eq(result, -EAGAIN);
    cr_expect_gt(transport_unread(ends[0]), 4096);
    cr_expect_eq(transport_unread(ends[1]), 0);
    cr_expect_eq(transport_unread(-1), 0);
}

Test(transport, end_of_file_is_distinguished_from_an_empty_packet, .init = begin)
{
    (void)close(ends[0]);
    errno = EINTR; /* of some call before */
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, NULL, true), 0);
    cr_expect(transport_has_ended(ends[1]));
    cr_expect_eq(transport_send(ends[1], "x", 1, -1, true), -EPIPE, "and no signal");
    cr_expect_eq(transport_receive(-1, packet, sizeof packet, NULL, true), -EBADF);
}

static void *answer_late(void *nothing)
{
    (void)nothing;
    (void)usleep(20000);
    cr_expect_eq(transport_send(ends[0], "late", 5, -1, false), 0);
    return NULL;
}

Test(transport, a_waiting_reader_gets_a_later_packet, .init = begin)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, answer_late, NULL), 0);
    cr_expect_eq(transport_receive(ends[1], packet, sizeof packet, NULL, true), 5);
    (void)pthread_join(thread, NULL);
}
