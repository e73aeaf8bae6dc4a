/* SPDX-License-Identifier: Apache-2.0 */
/* The lender's loop, and the borrower's side of it. */
#include "tests/bench/kernel_lender.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/bench/packet.h"

enum { CONNECTIONS_MAX = 1024, EVENTS = 64, PAGE_BYTES = 4096 };

static size_t lent_bytes;
static int lent[CONNECTIONS_MAX]; /* by the connection's descriptor; 0: none */

static void send_word(int socket, enum lender_question word, int fd)
{
    char packet[PACKET_BYTES] = {(char)word};
    packet_send(socket, packet, fd);
}

static int receive_descriptor(int socket)
{
    char packet[PACKET_BYTES];
    int fd = packet_receive(socket, packet);
    if (fd < 0)
        measure_fail("lender", "no descriptor came");
    return fd;
}

/* ---- the lender's process ---- */

static void take_back(int connection)
{
    if (lent[connection] == 0)
        return;
    if (ftruncate(lent[connection], 0) < 0)
        measure_fail_errno("ftruncate");
    (void)close(lent[connection]);
    lent[connection] = 0;
}

static void answer(int connection, enum lender_question question)
{
    if (question == LENDER_HELLO) {
        int fd = packet_memfd(PAGE_BYTES);
        send_word(connection, question, fd);
        (void)close(fd);
    }
    if (question == LENDER_BORROW) {
        lent[connection] = packet_memfd(lent_bytes);
        send_word(connection, question, lent[connection]);
    }
    if (question == LENDER_RELEASE)
        take_back(connection);
}

static void accept_one(int listener, int epoll)
{
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = connection};
    if (connection < 0 || connection >= CONNECTIONS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &event) < 0)
        measure_fail_errno("accept");
}

static void serve(int connection)
{
    char packet[PACKET_BYTES];
    ssize_t bytes = recv(connection, packet, sizeof packet, 0);
    if (bytes == sizeof packet) {
        answer(connection, (enum lender_question)packet[0]);
    } else if (bytes == 0) {
        take_back(connection);
        (void)close(connection);
    }
}

_Noreturn static void lend(int listener)
{
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = listener}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) < 0)
        measure_fail_errno("epoll");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener, epoll);
            else
                serve(events[i].data.fd);
        }
    }
}

/* ---- the borrower ---- */

static socklen_t address_of(const struct lender *lender, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)stpcpy(ret->sun_path + 1, lender->name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(lender->name));
}

struct lender lender_start(size_t bytes)
{
    struct lender lender;
    struct sockaddr_un address;
    (void)snprintf(lender.name, sizeof lender.name, "membroker-bench-lender-%d", (int)getpid());
    socklen_t length = address_of(&lender, &address);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, SOMAXCONN) < 0)
        measure_fail_errno("listen");
    lender.process = fork();
    if (lender.process < 0)
        measure_fail_errno("fork");
    if (lender.process == 0) {
        lent_bytes = bytes;
        lend(listener);
    }
    (void)close(listener);
    return lender;
}

double lender_stop(const struct lender *lender)
{
    struct rusage usage;
    (void)kill(lender->process, SIGTERM);
    if (wait4(lender->process, NULL, 0, &usage) < 0)
        measure_fail_errno("wait4");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int lender_connect(const struct lender *lender)
{
    struct sockaddr_un address;
    socklen_t length = address_of(lender, &address);
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, length) < 0)
        measure_fail_errno("connect");
    send_word(connection, LENDER_HELLO, -EBADF);
    int fd = receive_descriptor(connection);
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED || munmap(page, PAGE_BYTES) < 0)
        measure_fail_errno("mmap");
    (void)close(fd);
    return connection;
}

int lender_borrow(int socket)
{
    send_word(socket, LENDER_BORROW, -EBADF);
    return receive_descriptor(socket);
}

void lender_release(int socket)
{
    send_word(socket, LENDER_RELEASE, -EBADF);
}
