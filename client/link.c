/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection. If it breaks, the session's leases stay valid for a grace time. The library connects again with
 * growing pauses and some jitter, and shows the session's token.
 */
#include "client/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "client/client.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

enum { FIRST_PAUSE_MS = 10, LONGEST_PAUSE_MS = 1000 };

int link_init(struct link *link)
{
    link->socket = link->orphan = -EBADF;
    link->next_id = 1;
    link->arena = codec_arena_new_limited(CODEC_SMALL_BYTES);
    return link->arena ? 0 : -ENOMEM;
}

void link_close(struct link *link)
{
    link->socket = fd_close(link->socket);
    free(link->arena);
    link->arena = NULL;
}

uint64_t link_next_id(mb_client *client)
{
    return client->link.next_id++;
}

/* ---- opening ---- */

static int send_hello(mb_client *client)
{
    const struct session *session = &client->session;
    struct request request = {.id = link_next_id(client), .kind = REQUEST_HELLO, .hello = client->link.hello};
    request.hello.resume = session->id != 0;
    request.hello.session = session->id;
    request.hello.token = session->token;
    client->session.hello_id = request.id;
    return link_send(client, &request);
}

/* Reads block for a slice at most, unless a call says otherwise. */
static int connect_socket(const struct sockaddr_un *address)
{
    struct timeval slice = {.tv_usec = LINK_SLICE_MS * 1000L};
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) < 0) {
        return -errno;
    }
    return fcntl(fd, F_SETFL, O_RDWR) < 0 ? -errno : fd_steal(&fd);
}

int link_open(mb_client *client)
{
    struct link *link = &client->link;
    int fd = connect_socket(&link->address);
    link->connect_error = fd < 0 ? fd : 0;
    if (fd < 0) {
        return fd;
    }
    int result = wakeup_add_socket(&client->wakeup, fd);
    if (result < 0) {
        (void)fd_close(fd);
        return result;
    }
    link->socket = fd;
    link->state = LINK_GREETING;
    return send_hello(client);
}

/* ---- breaking ---- */

void link_plan_retry(mb_client *client)
{
    struct link *link = &client->link;
    uint32_t noise = 0;
    if (getrandom(&noise, sizeof noise, GRND_NONBLOCK) < 0) {
        noise = (uint32_t)client->owner; /* early at boot there is no entropy yet */
    }
    uint32_t pause = link->backoff_ms ? link->backoff_ms : FIRST_PAUSE_MS;
    link->backoff_ms = (uint32_t)size_min((uint64_t)pause * 2, LONGEST_PAUSE_MS);
    link->retry_at = clock_milliseconds() + pause / 2 + noise % pause;
}

/* A socket that another thread reads must not be closed yet: its number could be reused for another file. */
static void drop_socket(struct link *link)
{
    if (link->is_reading) {
        (void)shutdown(link->socket, SHUT_RDWR);
        link->orphan = link->socket;
        link->socket = -EBADF;
    } else {
        link->socket = fd_close(link->socket);
    }
}

void link_break(mb_client *client)
{
    struct link *link = &client->link;
    bool was_up = link->state == LINK_UP;
    if (link->state == LINK_DOWN) {
        return;
    }
    link->state = LINK_DOWN;
    link->connection++;
    drop_socket(link);
    client->session.hello_id = 0;
    client->session.list_id = 0;
    client->session.owes_list = false;
    calls_suspend(client);
    lease_table_sweep(client, MB_END_NONE);
    if (was_up) {
        link->down_since = clock_milliseconds();
        link->backoff_ms = 0;
        events_push(client, MB_EVENT_DISCONNECTED, NULL, NULL);
    }
    link_plan_retry(client);
    wakeup_send(client);
}

/*
 * After the grace time a broker has reclaimed everything; without one, the memory is not guaranteed. If leases end with
 * the daemon, a socket without a listener tells immediately that they have ended.
 */
bool link_is_hopeless(const mb_client *client, uint64_t now)
{
    const struct link *link = &client->link;
    const struct session *session = &client->session;
    bool nobody_listens = link->connect_error == -ECONNREFUSED || link->connect_error == -ENOENT;
    return link->state == LINK_DOWN &&
           ((nobody_listens && !session->leases_survive) || now - link->down_since > session->times.reconnect_grace_ms);
}

/* ---- sending ---- */

enum { SHORT_FRAME = 1024 };

/* A report of many leases takes more than the small arena. It is sent now and then, so its memory is not kept. */
static int encode_large(const struct request *request, uint8_t *frame)
{
    struct codec_arena *arena = codec_arena_new();
    int result = arena ? codec_encode_request(request, arena, frame) : -ENOMEM;
    free(arena);
    return result;
}

static int send_long(mb_client *client, const struct request *request)
{
    uint8_t *frame = malloc(FRAME_BYTES_MAX);
    int result = frame ? codec_encode_request(request, client->link.arena, frame) : -ENOMEM;
    if (result == -EMSGSIZE) {
        result = encode_large(request, frame);
    }
    if (result >= 0) {
        result = transport_send(client->link.socket, frame, (size_t)result, -EBADF, false);
    }
    free(frame);
    return result;
}

static int send_short(mb_client *client, const struct request *request)
{
    uint8_t frame[SHORT_FRAME];
    int bytes = codec_encode_request(request, client->link.arena, frame);
    return bytes < 0 ? bytes : transport_send(client->link.socket, frame, (size_t)bytes, -EBADF, false);
}

/* If the broker turned the connection away, its reason is still to be read: that is no error here. */
int link_send(mb_client *client, const struct request *request)
{
    struct link *link = &client->link;
    if (link->state == LINK_DOWN) {
        return -ENOTCONN;
    }
    bool is_long = codec_request_frame_max(request) > SHORT_FRAME;
    int result = is_long ? send_long(client, request) : send_short(client, request);
    if (result == -EMSGSIZE || result == -ENOMEM) {
        return result;
    }
    if (link->state == LINK_GREETING && (result == -EPIPE || result == -ECONNRESET)) {
        return 0;
    }
    if (result < 0 && result != -EAGAIN) {
        link_break(client);
    }
    return result;
}
