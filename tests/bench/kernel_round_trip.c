/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel alone asks for a round trip to another process, and for borrowing memory from it: the
 * price that no broker on a socket can go under.
 *
 * Two processes on a pair of SOCK_SEQPACKET sockets, the lender waiting in epoll as a daemon does. A borrow
 * is one question and one answer with a sealed 1 MiB memfd made for it, which the borrower maps and unmaps,
 * without touching it or with a byte of each page written; the lender truncates it to nothing. In the strict borrow the
 * lender does that when the next question comes, so that a borrow is exactly one round trip; in the other one the
 * borrower says in a message of its own that it is done, as a client of the broker does.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "proto/base/cleanup.h"
#include "tests/bench/measure.h"
#include "tests/bench/packet.h"

enum { SEGMENT_BYTES = 1 << 20 };

enum question { QUESTION_PING, QUESTION_BORROW, QUESTION_DONE };

static int segment_free(int fd)
{
    if (fd >= 0 && ftruncate(fd, 0) < 0)
        measure_fail_errno("ftruncate");
    return fd_close(fd);
}

static void question_answer(int socket, char *packet, int *lent)
{
    if (packet[0] != QUESTION_PING)
        *lent = segment_free(*lent);
    if (packet[0] == QUESTION_BORROW)
        *lent = packet_memfd(SEGMENT_BYTES);
    if (packet[0] != QUESTION_DONE)
        packet_send(socket, packet, packet[0] == QUESTION_BORROW ? *lent : -EBADF);
}

/* The lender's process: ends when the borrower closes its socket. */
static void lender_run(int socket)
{
    char packet[PACKET_BYTES];
    int lent = -EBADF;
    struct epoll_event event = {.events = EPOLLIN};
    cleanup(fd_closep) int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) < 0)
        measure_fail_errno("epoll");
    while (epoll_wait(epoll, &event, 1, -1) == 1 && recv(socket, packet, sizeof packet, 0) == PACKET_BYTES)
        question_answer(socket, packet, &lent);
    (void)segment_free(lent);
}

static void ping(void *socket)
{
    char packet[PACKET_BYTES] = {QUESTION_PING};
    packet_send(*(int *)socket, packet, -EBADF);
    (void)packet_receive(*(int *)socket, packet);
}

static void borrow_and(void *socket, bool touch)
{
    char packet[PACKET_BYTES] = {QUESTION_BORROW};
    packet_send(*(int *)socket, packet, -EBADF);
    cleanup(fd_closep) int fd = packet_receive(*(int *)socket, packet);
    void *memory = mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    if (touch)
        pages_write(memory, SEGMENT_BYTES);
    if (munmap(memory, SEGMENT_BYTES) < 0)
        measure_fail_errno("munmap");
}

static void borrow(void *socket)
{
    borrow_and(socket, false);
}

static void borrow_touched(void *socket)
{
    borrow_and(socket, true);
}

static void borrow_and_tell(void *socket)
{
    char packet[PACKET_BYTES] = {QUESTION_DONE};
    borrow(socket);
    packet_send(*(int *)socket, packet, -EBADF);
}

int main(void)
{
    int status;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        measure_fail_errno("socketpair");
    pid_t lender = fork();
    if (lender < 0)
        measure_fail_errno("fork");
    if (lender == 0) {
        (void)close(pair[0]);
        lender_run(pair[1]);
        _exit(0);
    }
    (void)close(pair[1]);
    rounds_measure("ping", ping, &pair[0]);
    rounds_measure("borrow", borrow, &pair[0]);
    rounds_measure("borrow_touched", borrow_touched, &pair[0]);
    rounds_measure("borrow_and_tell", borrow_and_tell, &pair[0]);
    (void)close(pair[0]);
    if (waitpid(lender, &status, 0) < 0 || status != 0)
        measure_fail("lender", "it failed; see the line above");
    return 0;
}
