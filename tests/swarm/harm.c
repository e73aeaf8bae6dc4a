/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/swarm/harm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/transport.h"

static struct codec_arena *arena;
static unsigned state;

bool harm_begin(unsigned seed)
{
    state = seed;
    arena = codec_arena_new();
    return arena;
}

void harm_end(void)
{
    free(arena);
}

unsigned below(unsigned limit)
{
    state = state * 1103515245U + 12345U;
    return (state >> 8) % limit;
}

void pause_ms(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

int dial(void)
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

void tell(int fd, struct request *request)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    request->id = 1 + below(1000);
    int bytes = codec_encode_request(request, arena, frame);
    if (bytes > 0) {
        (void)transport_send(fd, frame, (size_t)bytes, -EBADF, false);
    }
}

bool hear_with(int fd, struct reply *ret, int *ret_descriptor)
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

bool hear(int fd, struct reply *ret)
{
    return hear_with(fd, ret, NULL);
}

int greet(void)
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

uint64_t ask_for_lease(int fd, struct request *request, bool listen)
{
    struct reply reply = {.kind = REPLY_UNKNOWN};
    tell(fd, request);
    while (listen && hear(fd, &reply) && !(reply.is_answer && reply.reply_to == request->id)) {
    }
    return reply.kind == REPLY_GRANT      ? reply.grant.lease
           : reply.kind == REPLY_ATTACHED ? reply.attached.lease
                                          : below(100000);
}

uint64_t acquire(int fd, bool listen)
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
