/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor connection of membrokerctl: a blocking socket, one request at a time. */
#include "client/ctl/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/error.h"
#include "client/socket_path.h"
#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/transport.h"

struct monitor {
    int fd;
    uint64_t next_id;
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

/* Receives until the answer comes; events are not for a monitor, and an error without a request ends it. */
static int receive_answer(struct monitor *monitor, uint64_t id)
{
    for (;;) {
        const uint8_t *payload;
        size_t bytes;
        ssize_t received = transport_receive(monitor->fd, monitor->frame, sizeof monitor->frame, NULL, true);
        if (received <= 0) {
            return gone(monitor);
        }
        if (frame_open(monitor->frame, (size_t)received, &payload, &bytes) < 0 ||
            codec_decode_reply(payload, bytes, monitor->arena, &monitor->reply) < 0) {
            return error_set(-EPROTO, "the broker on %s sent something that makes no sense", monitor->address.sun_path);
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

int monitor_call(struct monitor *monitor, struct request *request, const struct reply **ret)
{
    request->id = monitor->next_id++;
    int bytes = codec_encode_request(request, monitor->arena, monitor->frame);
    if (bytes < 0) {
        return error_set(-EINVAL, "the request does not fit a message");
    }
    int result = transport_send(monitor->fd, monitor->frame, (size_t)bytes, -EBADF, true);
    if (result < 0 && result != -EPIPE && result != -ECONNRESET) { /* who is turned away reads why */
        return gone(monitor);
    }
    result = receive_answer(monitor, request->id);
    *ret = &monitor->reply;
    return result;
}

static int greet(struct monitor *monitor)
{
    struct request hello = {.kind = REQUEST_HELLO};
    const struct reply *reply;
    hello.hello = (struct hello_request){
        .protocol_min = PROTOCOL_VERSION_OLDEST,
        .protocol_max = PROTOCOL_VERSION,
        .name = "membrokerctl",
        .heap_bytes = LIMIT_UNSAID,
        .max_bytes = LIMIT_UNSAID,
        .max_physical_bytes = LIMIT_UNSAID,
        .monitor = true,
    };
    return monitor_call(monitor, &hello, &reply);
}

static int open_socket(struct monitor *monitor)
{
    monitor->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (monitor->fd < 0 ||
        connect(monitor->fd, (const struct sockaddr *)&monitor->address, sizeof monitor->address) < 0) {
        return error_set(-ENOTCONN,
                         "no broker answers on %s: %s; start membrokerd, or say where it listens with --socket or "
                         "MEMBROKER_SOCKET",
                         monitor->address.sun_path, strerrordesc_np(errno));
    }
    return greet(monitor);
}

int monitor_open(const char *socket, struct monitor **ret)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (!monitor || !(monitor->arena = codec_arena_new())) {
        free(monitor);
        return error_set(-ENOMEM, "out of memory");
    }
    monitor->fd = -EBADF;
    monitor->next_id = 1;
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
