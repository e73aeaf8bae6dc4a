/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/floor.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/bench/measure.h"
#include "tests/bench/packet.h"

enum { BLOCK_BYTES = 4096 };

/* Also who asks, and what a socket's events carry. */
enum who { PUBLISHER, READER, WORKER, SOCKETS };

enum question { QUESTION_PUBLISH, QUESTION_WAIT, QUESTION_PING };

static void open_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        measure_fail_errno("socketpair");
}

static pid_t fork_one(void)
{
    pid_t process = fork();
    if (process < 0)
        measure_fail_errno("fork");
    return process;
}

_Noreturn static void work(int broker)
{
    char packet[PACKET_BYTES];
    while (recv(broker, packet, sizeof packet, 0) == PACKET_BYTES)
        packet_send(broker, packet, -EBADF);
    _exit(0);
}

static void serve_one(const int sockets[SOCKETS], enum who who, char packet[PACKET_BYTES], int block)
{
    if (who == WORKER) {
        packet_send(sockets[PUBLISHER], packet, -EBADF);
        packet_send(sockets[READER], packet, block);
    } else if (packet[0] == QUESTION_PUBLISH) {
        packet_send(sockets[WORKER], packet, -EBADF);
    } else if (packet[0] == QUESTION_PING) {
        packet_send(sockets[who], packet, -EBADF);
    }
}

static int watch(const int sockets[SOCKETS])
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned who = 0; who < SOCKETS; who++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = who};
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[who], &event) < 0)
            measure_fail_errno("epoll");
    }
    return epoll;
}

/* Until nobody has the other ends. */
_Noreturn static void serve(const int sockets[SOCKETS])
{
    char packet[PACKET_BYTES];
    struct epoll_event event;
    int block = packet_memfd(BLOCK_BYTES), epoll = watch(sockets);
    while (epoll_wait(epoll, &event, 1, -1) == 1) {
        enum who who = (enum who)event.data.u32;
        if (recv(sockets[who], packet, sizeof packet, 0) != PACKET_BYTES)
            _exit(0);
        serve_one(sockets, who, packet, block);
    }
    _exit(1);
}

struct floor floor_start(void)
{
    int publisher[2], reader[2], worker[2];
    open_pair(publisher);
    open_pair(reader);
    open_pair(worker);
    if (fork_one() == 0) {
        (void)close(worker[0]);
        (void)close(publisher[0]);
        (void)close(reader[0]);
        work(worker[1]);
    }
    (void)close(worker[1]);
    if (fork_one() == 0) {
        const int sockets[SOCKETS] = {publisher[1], reader[1], worker[0]};
        (void)close(publisher[0]);
        (void)close(reader[0]);
        serve(sockets);
    }
    (void)close(worker[0]);
    (void)close(publisher[1]);
    (void)close(reader[1]);
    return (struct floor){publisher[0], reader[0]};
}

void floor_publish(const struct floor *floor)
{
    char packet[PACKET_BYTES] = {QUESTION_PUBLISH};
    packet_send(floor->publisher, packet, -EBADF);
    (void)packet_receive(floor->publisher, packet);
}

void floor_attach(const struct floor *floor)
{
    char packet[PACKET_BYTES] = {QUESTION_WAIT};
    packet_send(floor->reader, packet, -EBADF);
    cleanup(fd_closep) int fd = packet_receive(floor->reader, packet);
    void *memory = mmap(NULL, BLOCK_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    (void)munmap(memory, BLOCK_BYTES);
}

void floor_ping(const struct floor *floor)
{
    char packet[PACKET_BYTES] = {QUESTION_PING};
    packet_send(floor->reader, packet, -EBADF);
    (void)packet_receive(floor->reader, packet);
}
