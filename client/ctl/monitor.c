/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor connection of membrokerctl: one request at a time, each with a deadline. */
#include "client/ctl/monitor.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/error.h"
#include "client/socket_path.h"
#include "client/unreachable.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/codec.h"
#include "proto/transport.h"

struct monitor {
    int fd;
    uint64_t next_id;
    uint32_t timeout_ms; /* of the present call, which ends at: */
    uint64_t deadline;
    struct codec_arena *arena;
    struct sockaddr_un address;
    struct reply reply;
    uint8_t frame[FRAME_BYTES_MAX];
};

static int gone(const struct monitor *monitor)
{
    return error_set(-ENOTCONN, "the broker on %s went away; start membrokerd, or look at its log",
                     monitor->address.sun_path);
}

static int unanswered(const struct monitor *monitor)
{
    char text[SIZE_TEXT_BYTES];
    return error_set(-ETIMEDOUT,
                     "connected to the broker on %s, but it has not answered within %s; it is stopped, stuck or "
                     "overloaded: look at the membrokerd process and its log, or allow more with --timeout",
                     monitor->address.sun_path, duration_to_text(monitor->timeout_ms, text));
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NANOSECONDS_PER_MILLISECOND;
}

static void set_deadline(struct monitor *monitor, uint32_t timeout_ms)
{
    monitor->timeout_ms = timeout_ms;
    monitor->deadline = now_ms() + timeout_ms;
}

/* Waits until the socket is ready for `events`. False: the deadline came first. */
static bool wait_for(const struct monitor *monitor, short events)
{
    struct pollfd socket = {.fd = monitor->fd, .events = events};
    uint64_t left;
    while ((left = size_subtract_floored(monitor->deadline, now_ms())) > 0) {
        if (poll(&socket, 1, (int)size_min(left, INT_MAX)) > 0) {
            return true;
        }
    }
    return false;
}

/* Receives until the answer comes; events are not for a monitor, and an error without a request ends it. */
static int receive_answer(struct monitor *monitor, uint64_t id)
{
    for (;;) {
        const uint8_t *payload;
        size_t bytes;
        if (!wait_for(monitor, POLLIN)) {
            return unanswered(monitor);
        }
        ssize_t received = transport_receive(monitor->fd, monitor->frame, sizeof monitor->frame, NULL, false);
        if (received == -EAGAIN) {
            continue;
        }
        if (received <= 0) {
            return gone(monitor);
        }
        if (frame_open(monitor->frame, (size_t)received, &payload, &bytes) < 0 ||
            codec_decode_reply(payload, bytes, monitor->arena, &monitor->reply) < 0) {
            return error_set(-EPROTO, "the broker on %s sent a message that is not valid", monitor->address.sun_path);
        }
        bool ours = monitor->reply.is_answer && monitor->reply.reply_to == id;
        if (monitor->reply.kind == REPLY_ERROR && (ours || !monitor->reply.is_answer)) {
            return error_from_broker(&monitor->reply.error);
        }
        if (ours) {
            return 0;
        }
    }
}

static int send_frame(const struct monitor *monitor, size_t bytes)
{
    int result;
    do {
        if (!wait_for(monitor, POLLOUT)) {
            return unanswered(monitor);
        }
        result = transport_send(monitor->fd, monitor->frame, bytes, -EBADF, false);
    } while (result == -EAGAIN);
    bool is_turned_away = result == -EPIPE || result == -ECONNRESET; /* why is to be read */
    return result < 0 && !is_turned_away ? gone(monitor) : 0;
}

/* One call, until the deadline that is set. */
static int call(struct monitor *monitor, struct request *request, const struct reply **ret)
{
    request->id = monitor->next_id++;
    int bytes = codec_encode_request(request, monitor->arena, monitor->frame);
    if (bytes < 0) {
        return error_set(-EINVAL, "the request does not fit a message");
    }
    int result = send_frame(monitor, (size_t)bytes);
    if (result == 0) {
        result = receive_answer(monitor, request->id);
    }
    *ret = &monitor->reply;
    return result;
}

int monitor_call(struct monitor *monitor, struct request *request, uint32_t timeout_ms, const struct reply **ret)
{
    set_deadline(monitor, timeout_ms);
    return call(monitor, request, ret);
}

static int greet(struct monitor *monitor)
{
    struct request hello = {.kind = REQUEST_HELLO};
    const struct reply *reply;
    hello.hello = (struct hello_request){
        .protocol_min = PROTOCOL_VERSION_OLDEST,
        .protocol_max = PROTOCOL_VERSION,
        .name = "membrokerctl",
        .heap_bytes = LIMIT_DEFAULT,
        .max_bytes = LIMIT_DEFAULT,
        .max_physical_bytes = LIMIT_DEFAULT,
        .monitor = true,
    };
    return call(monitor, &hello, &reply);
}

/* A Unix socket connects immediately, or the broker's backlog is full; it is never in progress. */
static int connect_socket(const struct monitor *monitor)
{
    enum { PAUSE_MS = 10 };
    while (connect(monitor->fd, (const struct sockaddr *)&monitor->address, sizeof monitor->address) < 0) {
        if ((errno != EAGAIN && errno != EINTR) || now_ms() >= monitor->deadline) {
            return -errno;
        }
        struct timespec pause = {.tv_nsec = PAUSE_MS * NANOSECONDS_PER_MILLISECOND};
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

static int open_socket(struct monitor *monitor)
{
    monitor->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = monitor->fd < 0 ? -errno : connect_socket(monitor);
    return result < 0 ? unreachable(&monitor->address, result, "--socket or MEMBROKER_SOCKET") : greet(monitor);
}

int monitor_open(const char *socket, uint32_t timeout_ms, struct monitor **ret)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (!monitor || !(monitor->arena = codec_arena_new())) {
        free(monitor);
        return error_set(-ENOMEM, "out of memory");
    }
    monitor->fd = -EBADF;
    monitor->next_id = 1;
    set_deadline(monitor, timeout_ms);
    int result = socket_path_resolve(socket, &monitor->address);
    if (result == 0) {
        result = open_socket(monitor);
    }
    if (result < 0) {
        monitor_close(monitor);
        return result;
    }
    *ret = monitor;
    return 0;
}

const char *monitor_socket(const struct monitor *monitor)
{
    return monitor->address.sun_path;
}

struct monitor *monitor_close(struct monitor *monitor)
{
    if (monitor) {
        (void)fd_close(monitor->fd);
        free(monitor->arena);
        free(monitor);
    }
    return NULL;
}
