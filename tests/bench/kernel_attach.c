/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel alone asks for a block that another process has: a question, an answer with the descriptor of a
 * sealed memfd, a read-only mapping, and a message that says it is done with. No broker on a socket can go under that.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/bench/attach.h"
#include "tests/bench/measure.h"
#include "tests/bench/packet.h"

enum question { QUESTION_ATTACH, QUESTION_DONE };

static int block_make(size_t bytes)
{
    int fd = packet_memfd(bytes);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    attach_fill(memory, bytes);
    (void)munmap(memory, bytes);
    return fd;
}

/* The other process: ends when the reader closes its socket. */
_Noreturn static void serve(int socket, size_t bytes)
{
    char packet[PACKET_BYTES];
    struct epoll_event event = {.events = EPOLLIN};
    int block = block_make(bytes), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) < 0)
        measure_fail_errno("epoll");
    while (epoll_wait(epoll, &event, 1, -1) == 1 && recv(socket, packet, sizeof packet, 0) == PACKET_BYTES)
        if (packet[0] == QUESTION_ATTACH)
            packet_send(socket, packet, block);
    _exit(0);
}

struct reader {
    int socket;
    size_t bytes;
};

static void attach_once(void *context)
{
    const struct reader *reader = context;
    char packet[PACKET_BYTES] = {QUESTION_ATTACH};
    packet_send(reader->socket, packet, -EBADF);
    cleanup(fd_closep) int fd = packet_receive(reader->socket, packet);
    char *memory = mmap(NULL, reader->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    attach_read(memory, reader->bytes);
    (void)munmap(memory, reader->bytes);
    packet[0] = QUESTION_DONE;
    packet_send(reader->socket, packet, -EBADF);
}

static void measure_size(const struct attach_size *size)
{
    int pair[2], status;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        measure_fail_errno("socketpair");
    pid_t server = fork();
    if (server < 0)
        measure_fail_errno("fork");
    if (server == 0) {
        (void)close(pair[0]);
        serve(pair[1], size->bytes);
    }
    (void)close(pair[1]);
    struct reader reader = {pair[0], size->bytes};
    attach_measure(size, attach_once, &reader);
    (void)close(pair[0]);
    if (waitpid(server, &status, 0) < 0 || status != 0)
        measure_fail("server", "it failed; see the line above");
}

int main(void)
{
    for (int i = 0; i < ATTACH_SIZES; i++)
        measure_size(&attach_sizes[i]);
    return 0;
}
