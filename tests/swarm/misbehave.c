/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client that means harm, or is broken, until SIGTERM or its end; random, by the seed. Usage: misbehave SEED
 * SECONDS It speaks the protocol itself, badly.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/swarm/harm.h"

/* ---- kinds of harm ---- */

static void garbage(void)
{
    uint8_t bytes[512];
    int fd = below(2) ? greet() : dial();
    size_t size = 1 + below(sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)below(256);
    }
    (void)!send(fd, bytes, size, MSG_NOSIGNAL);
    (void)fd_close(fd);
}

static void half_a_message(void)
{
    uint8_t header[8] = {100, 0, 0, 0, 8, 1};
    int fd = dial();
    (void)!send(fd, header, sizeof header, MSG_NOSIGNAL);
    pause_ms(below(200));
    (void)fd_close(fd);
}

static void many_connections(void)
{
    int fds[50];
    for (int i = 0; i < 50; i++) {
        fds[i] = dial();
    }
    pause_ms(below(300));
    for (int i = 0; i < 50; i++) {
        (void)fd_close(fds[i]);
    }
}

static void descriptors(void)
{
    uint8_t frame[64] = {1};
    int fd = greet();
    int gift = memfd_create("gift", MFD_CLOEXEC);
    (void)transport_send(fd, frame, sizeof frame, gift, false);
    (void)fd_close(gift);
    (void)fd_close(fd);
}

static void others_leases(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 30; i++) {
        struct lease_use use = {.lease = below(100000), .used_bytes = below(100000)};
        struct request requests[] = {
            {.kind = REQUEST_RELEASE, .release_lease = below(100000)},
            {.kind = REQUEST_EXTEND, .extend = {.lease = below(100000), .bytes = 4096}},
            {.kind = REQUEST_RENEW, .renew = {.use = &use, .use_count = 1}},
        };
        tell(fd, &requests[below(sizeof requests / sizeof *requests)]);
    }
    (void)fd_close(fd);
}

static void guessed_tokens(void)
{
    for (int i = 0; i < 20; i++) {
        struct reply reply;
        struct request hello = {.kind = REQUEST_HELLO};
        int fd = dial();
        hello.hello = (struct hello_request){
            .protocol_min = 1, .protocol_max = 1, .name = "guess", .resume = true, .session = 1 + below(3000)};
        hello.hello.token.bytes[0] = (uint8_t)below(256);
        if (fd >= 0) {
            tell(fd, &hello);
            (void)hear(fd, &reply);
        }
        (void)fd_close(fd);
    }
}

static void release_twice(void)
{
    int fd = greet();
    struct request release = {.kind = REQUEST_RELEASE, .release_lease = fd < 0 ? 0 : acquire(fd, true)};
    tell(fd, &release);
    tell(fd, &release);
    (void)fd_close(fd);
}

static void flood_without_reading(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 2000; i++) {
        struct request status = {.kind = below(2) ? REQUEST_STATUS : REQUEST_LIST, .list = {.what = LIST_LEASES}};
        tell(fd, &status);
    }
    pause_ms(below(100));
    (void)fd_close(fd);
}

static void die_in_mid_request(void)
{
    pid_t child = fork();
    if (child == 0) {
        int fd = greet();
        (void)acquire(fd, false);
        (void)kill(getpid(), SIGKILL);
    }
    pause_ms(5);
}

static void stop_for_long(void)
{
    int fd = greet();
    if (fd >= 0) {
        (void)acquire(fd, true);
    }
    pause_ms(1500 + below(3000));
    (void)fd_close(fd);
}

/* Asks for what costs the daemon most. */
static void dear_questions(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 200; i++) {
        struct request requests[] = {
            {.kind = REQUEST_WHY},
            {.kind = REQUEST_AUDIT},
            {.kind = REQUEST_CANCEL, .cancel_request = below(1000)},
            {.kind = REQUEST_REVOKE, .revoke_lease = below(100000)},
        };
        tell(fd, &requests[below(sizeof requests / sizeof *requests)]);
    }
    (void)fd_close(fd);
}

/* As many as fit in a message, of leases that it does not have. */
static void renew_much(void)
{
    enum { USES = 3000 };
    static struct lease_use uses[USES];
    int fd = greet();
    for (uint64_t i = 0; i < USES; i++) {
        uses[i] = (struct lease_use){.lease = 1 + i, .used_bytes = i};
    }
    struct request renew = {.kind = REQUEST_RENEW, .renew = {.use = uses, .use_count = USES}};
    for (int i = 0; fd >= 0 && i < 50; i++) {
        tell(fd, &renew);
    }
    (void)fd_close(fd);
}

static void leave_grants_unread(void)
{
    int fd = greet();
    struct request bye = {.kind = REQUEST_BYE};
    for (int i = 0; fd >= 0 && i < 100; i++) {
        (void)acquire(fd, false);
    }
    tell(fd, &bye);
    pause_ms(below(1000));
    (void)fd_close(fd);
}

/* Waits for more than its class may have, as often as it can. */
static void fill_the_queue(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 100; i++) {
        struct request request = {.kind = REQUEST_ACQUIRE};
        request.acquire = (struct acquire_request){.bytes = (96 << 20) + below(1 << 24),
                                                   .location = LOCATION_RAM,
                                                   .ttl_ms = 1000,
                                                   .name = "swarm",
                                                   .numa_node = -1,
                                                   .wait_ms = 3000};
        tell(fd, &request);
    }
    pause_ms(below(500));
    (void)fd_close(fd);
}

/* Its child is stopped forever, with a lease; the swarm kills it, or the end of its parent does. */
static void stop_for_ever(void)
{
    static int stopped;
    pid_t child = stopped++ < 3 ? fork() : -1;
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = greet();
        (void)acquire(fd, false);
        (void)raise(SIGSTOP);
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    static void (*const harms[])(void) = {
        misuse_watches,   watch_without_reading, misuse_boards,  misuse_blocks,  hold_views,    dear_questions,
        renew_much,       leave_grants_unread,   fill_the_queue, stop_for_ever,  garbage,       half_a_message,
        many_connections, descriptors,           others_leases,  guessed_tokens, release_twice, die_in_mid_request,
        stop_for_long,    flood_without_reading};
    time_t end = time(NULL) + (argc == 3 ? atol(argv[2]) : 1);
    bool has_begun = harm_begin(argc == 3 ? (unsigned)atol(argv[1]) : 1);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_IGN);
    while (has_begun && time(NULL) < end) {
        harms[below(sizeof harms / sizeof *harms)]();
        pause_ms(below(2000));
    }
    harm_end();
    return 0;
}
