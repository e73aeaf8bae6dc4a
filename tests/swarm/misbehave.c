/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client that means harm, or is broken, until SIGTERM or its end; random, by the seed. Usage: misbehave SEED
 * SECONDS It speaks the protocol itself, badly.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/transport.h"

static struct codec_arena *arena;
static unsigned state;

static unsigned below(unsigned limit)
{
    state = state * 1103515245U + 12345U;
    return (state >> 8) % limit;
}

static void pause_ms(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    (void)stpncpy(address.sun_path, getenv("MEMBROKER_SOCKET"), sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        return fd_close(fd);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void tell(int fd, struct request *request)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    request->id = 1 + below(1000);
    int bytes = codec_encode_request(request, arena, frame);
    if (bytes > 0) {
        (void)transport_send(fd, frame, (size_t)bytes, -EBADF, false);
    }
}

/* False: nothing came. The first descriptor with it is the caller's, if it wants one; -EBADF: there is none. */
static bool hear_with(int fd, struct reply *ret, int *ret_descriptor)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    const uint8_t *payload;
    size_t bytes;
    struct packet_descriptors descriptors = {.count = 0};
    ssize_t received = transport_receive(fd, frame, sizeof frame, &descriptors, true);
    size_t taken = ret_descriptor && received > 0 && descriptors.count > 0;
    if (ret_descriptor) {
        *ret_descriptor = taken ? descriptors.fd[0] : -EBADF;
    }
    for (size_t i = taken; received > 0 && i < descriptors.count; i++) {
        (void)close(descriptors.fd[i]);
    }
    return received > 0 && frame_open(frame, (size_t)received, &payload, &bytes) == 0 &&
           codec_decode_reply(payload, bytes, arena, ret) == 0;
}

static bool hear(int fd, struct reply *ret)
{
    return hear_with(fd, ret, NULL);
}

static int greet(void)
{
    struct reply reply;
    struct request hello = {.kind = REQUEST_HELLO};
    int fd = dial();
    hello.hello = (struct hello_request){.protocol_min = 1, .protocol_max = 1, .name = "swarm"};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    if (fd >= 0) {
        tell(fd, &hello);
        (void)hear(fd, &reply);
    }
    return fd;
}

/* The lease or view that is granted; a number at random if none is, or nobody listens. */
static uint64_t ask_for_lease(int fd, struct request *request, bool listen)
{
    struct reply reply = {.kind = REPLY_UNKNOWN};
    tell(fd, request);
    while (listen && hear(fd, &reply) && !(reply.is_answer && reply.reply_to == request->id)) {
    }
    return reply.kind == REPLY_GRANT      ? reply.grant.lease
           : reply.kind == REPLY_ATTACHED ? reply.attached.lease
                                          : below(100000);
}

static uint64_t acquire(int fd, bool listen)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = 1 + below(1 << 16),
                                               .location = (enum location)(1 + below(3)),
                                               .ttl_ms = 1000,
                                               .name = "swarm",
                                               .numa_node = -1,
                                               .wait_ms = below(4) ? 0 : below(3000)};
    return ask_for_lease(fd, &request, listen);
}

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

/* ---- blocks ---- */

static void block_name(char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "swarm-%u", below(8));
}

/* Of what it has, or of what it has not; in terms that are good or not. None outlives the swarm for long. */
static struct request publication(uint64_t lease)
{
    static uint8_t metadata[MESSAGE_METADATA_MAX];
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = below(4) ? lease : below(100000),
                                               .lifetime = below(2) ? LIFETIME_SESSION : LIFETIME_KEEP,
                                               .access = (enum block_access)below(3),
                                               .gid = below(70000),
                                               .replace = below(2),
                                               .metadata = {metadata, below(sizeof metadata)}};
    request.publish.keep_ms = request.publish.lifetime == LIFETIME_KEEP ? 1 + below(1500) : below(8) == 0;
    metadata[below(sizeof metadata)] = (uint8_t)below(256);
    block_name(request.publish.name);
    return request;
}

static uint64_t attach(int fd, uint32_t wait_ms, bool listen)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK};
    request.attach_block = (struct attach_block_request){
        .has_owner = below(2), .owner = below(2) ? 65534 : below(70000), .wait_ms = wait_ms, .ttl_ms = 1000};
    block_name(request.attach_block.name);
    return ask_for_lease(fd, &request, listen);
}

static void release(int fd, uint64_t lease)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    tell(fd, &request);
}

/* Publishes twice, attaches what there is and what there is not, and closes views and blocks twice. */
static void misuse_blocks(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 20; i++) {
        struct request publishable = {.kind = REQUEST_ACQUIRE};
        publishable.acquire = (struct acquire_request){.bytes = 1 + below(1 << 16),
                                                       .location = LOCATION_RAM,
                                                       .ttl_ms = 1000,
                                                       .numa_node = -1,
                                                       .publishable = true};
        uint64_t lease = ask_for_lease(fd, &publishable, true);
        struct request publish = publication(lease), again = publication(lease);
        tell(fd, &publish);
        tell(fd, below(2) ? &publish : &again);
        uint64_t view = attach(fd, below(2) * 50, true);
        struct request unpublish = {.kind = REQUEST_UNPUBLISH, .unpublish = {.has_owner = below(2), .owner = below(2)}};
        block_name(unpublish.unpublish.name);
        tell(fd, &unpublish);
        release(fd, view);
        release(fd, view);
        release(fd, lease);
        release(fd, below(2) ? lease : below(100000));
    }
    (void)fd_close(fd);
}

/* Of blocks that others publish. It never renews, and waits for names that never come. */
static void hold_views(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 20; i++) {
        (void)attach(fd, below(4) ? 0 : 3000, false);
    }
    pause_ms(below(2500));
    (void)fd_close(fd);
}

/* ---- objects ---- */

static void object_name(char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "swarm-%u", below(64));
}

/* In terms that are good or not. None is kept: it would outlive the swarm. */
static void put(int fd)
{
    static uint8_t data[MESSAGE_OBJECT_MAX + 1000];
    struct request request = {.kind = REQUEST_PUT};
    request.put = (struct put_request){.data = {data, below(8) ? below(200) : below(sizeof data)},
                                       .lifetime = below(8) ? LIFETIME_SESSION : LIFETIME_CACHE,
                                       .access = (enum block_access)below(3),
                                       .gid = below(70000)};
    object_name(request.put.name);
    tell(fd, &request);
}

/* The board that has an object; a number at random if none has it. */
static uint64_t find_board(int fd)
{
    struct reply reply = {.kind = REPLY_UNKNOWN};
    struct request get = {.kind = REQUEST_GET, .get = {.has_owner = below(2), .owner = below(70000)}};
    object_name(get.get.name);
    tell(fd, &get);
    while (hear(fd, &reply) && !(reply.is_answer && reply.reply_to == get.id)) {
    }
    return reply.kind == REPLY_GOT ? reply.got.board : below(100);
}

/* Tries to change it, and keeps it as long as this process lives. */
static void misuse_part(int part)
{
    (void)!ftruncate(part, 0);
    (void)fcntl(part, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE);
    uint8_t *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, part, 0);
    if (writable != MAP_FAILED) {
        memset(writable, 0xff, 4096);
    }
    if (below(4) == 0) {
        (void)mmap(NULL, 4096, PROT_READ, MAP_SHARED, part, 0);
    }
    (void)fd_close(part);
}

/* Puts, gets and removes what there is and what there is not, and opens parts of boards. */
static void misuse_boards(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 40; i++) {
        struct reply reply = {.kind = REPLY_UNKNOWN};
        int part = -EBADF;
        put(fd);
        struct request open = {.kind = REQUEST_OPEN_BOARD, .open_board = {find_board(fd), below(3)}};
        tell(fd, &open);
        while (part < 0 && hear_with(fd, &reply, &part) && !(reply.is_answer && reply.reply_to == open.id)) {
        }
        misuse_part(part);
        struct request remove = {.kind = REQUEST_REMOVE};
        object_name(remove.remove.name);
        tell(fd, &remove);
    }
    (void)fd_close(fd);
}

int main(int argc, char **argv)
{
    static void (*const harms[])(void) = {
        misuse_boards,  misuse_blocks,  hold_views,    dear_questions,     renew_much,       leave_grants_unread,
        fill_the_queue, stop_for_ever,  garbage,       half_a_message,     many_connections, descriptors,
        others_leases,  guessed_tokens, release_twice, die_in_mid_request, stop_for_long,    flood_without_reading};
    time_t end = time(NULL) + (argc == 3 ? atol(argv[2]) : 1);
    state = argc == 3 ? (unsigned)atol(argv[1]) : 1;
    arena = codec_arena_new();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_IGN);
    while (arena && time(NULL) < end) {
        harms[below(sizeof harms / sizeof *harms)]();
        pause_ms(below(2000));
    }
    free(arena);
    return 0;
}
