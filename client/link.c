/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection: opening, breaking, resuming, and the renewals that keep leases alive. When it breaks, the
 * session's leases go on; the library connects again, with growing pauses and some jitter, and shows the session's
 * token. A broker that does not know the session has lost the leases: the program is told, and a new session begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"
#include "proto/base/cleanup.h"

enum {
    FIRST_PAUSE_MS = 10,
    LONGEST_PAUSE_MS = 1000,
    USE_PAUSE_MS = 50,
    READ_SLICE_MS = 100, /* how long a waiting reader sleeps before it looks at its own deadline */
};

void link_watch(mb_client *client, bool watched)
{
    struct epoll_event event = {.events = watched ? EPOLLIN : 0, .data.fd = client->socket};
    if (client->socket >= 0) {
        (void)epoll_ctl(client->epoll, EPOLL_CTL_MOD, client->socket, &event);
    }
}

static int send_hello(mb_client *client)
{
    struct request request = {.id = client->next_id++, .kind = REQUEST_HELLO, .hello = client->hello};
    request.hello.resume = client->session != 0;
    request.hello.session = client->session;
    request.hello.token = client->token;
    client->hello_id = request.id;
    return link_send(client, &request);
}

static int connect_socket(const mb_client *client)
{
    struct timeval slice = {.tv_usec = READ_SLICE_MS * 1000L};
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&client->address, sizeof client->address) < 0) {
        return -errno;
    }
    /* from here on it blocks, for a slice at most, where a call doesn't say otherwise */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) < 0) {
        return -errno;
    }
    return fcntl(fd, F_SETFL, O_RDWR) < 0 ? -errno : fd_steal(&fd);
}

int link_open(mb_client *client)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = connect_socket(client);
    client->connect_error = fd < 0 ? fd : 0;
    if (fd < 0) {
        return fd;
    }
    event.data.fd = fd;
    if (epoll_ctl(client->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int error = -errno;
        (void)fd_close(fd);
        return error;
    }
    client->socket = fd;
    client->state = LINK_GREETING;
    return send_hello(client);
}

/* ---- breaking ---- */

static void fail_call(mb_client *client, struct call *call)
{
    TAILQ_REMOVE(&client->calls, call, in_client);
    call->done = true;
    call->result = -ENOTCONN;
    call->sentence[0] = '\0';
}

void link_fail_calls(mb_client *client)
{
    struct call *call = TAILQ_FIRST(&client->calls), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        fail_call(client, call);
    }
    (void)pthread_cond_broadcast(&client->changed);
}

void link_fail_extends(mb_client *client)
{
    struct call *call = TAILQ_FIRST(&client->calls), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        if (!call->request || call->request->kind != REQUEST_ACQUIRE) {
            fail_call(client, call);
        }
    }
    (void)pthread_cond_broadcast(&client->changed);
}

/* What can be repeated waits for the session to be resumed, as long as its caller waits. */
static void suspend_calls(mb_client *client)
{
    struct call *call = TAILQ_FIRST(&client->calls), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        if (!call->request || !client->session) {
            fail_call(client, call);
        }
    }
    cancels_end_unheard(client);
    (void)pthread_cond_broadcast(&client->changed);
}

void link_repeat_calls(mb_client *client)
{
    struct call *call = TAILQ_FIRST(&client->calls), *next;
    for (; call; call = next) {
        next = TAILQ_NEXT(call, in_client);
        if (!call->request) {
            continue;
        }
        call_repeat(client, call);
        if (link_send(client, call->request) < 0) {
            return; /* broken again: all of it is repeated then */
        }
    }
    cancels_send(client);
}

static void plan_retry(mb_client *client)
{
    uint32_t noise = 0;
    if (getrandom(&noise, sizeof noise, GRND_NONBLOCK) < 0) {
        noise = (uint32_t)client->owner; /* early at boot: jitter from what we have */
    }
    uint32_t pause = client->backoff_ms ? client->backoff_ms : FIRST_PAUSE_MS;
    client->backoff_ms = pause * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause * 2;
    client->retry_at = clock_milliseconds() + pause / 2 + noise % pause;
}

/* A descriptor that another thread is reading from must not be closed under it: its number could mean another file by
 * then. */
static void drop_socket(mb_client *client)
{
    if (client->reading) {
        (void)shutdown(client->socket, SHUT_RDWR);
        client->orphan = client->socket;
        client->socket = -EBADF;
    } else {
        client->socket = fd_close(client->socket);
    }
}

void link_broke(mb_client *client)
{
    bool was_up = client->state == LINK_UP;
    if (client->state == LINK_DOWN) {
        return;
    }
    client->state = LINK_DOWN;
    drop_socket(client);
    client->hello_id = client->list_id = 0;
    suspend_calls(client);
    leases_sweep(client, MB_END_NONE);
    if (was_up) {
        client->down_since = clock_milliseconds();
        client->backoff_ms = 0;
        event_push(client, MB_EVENT_DISCONNECTED, NULL, NULL);
    }
    plan_retry(client);
    background_wake(client);
}

/*
 * After the grace time the broker, if there is one, has reclaimed everything; if there is none, nobody vouches for it.
 * Where leases end with the daemon, that nobody listens says at once that they have.
 */
bool link_is_hopeless(const mb_client *client, uint64_t now)
{
    bool nobody_listens = client->connect_error == -ECONNREFUSED || client->connect_error == -ENOENT;
    return client->state == LINK_DOWN &&
           ((nobody_listens && !client->leases_survive) || now - client->down_since > client->times.reconnect_grace_ms);
}

static void give_up_leases(mb_client *client, uint64_t now)
{
    if (link_is_hopeless(client, now)) {
        leases_sweep(client, MB_END_BROKER_GONE);
        link_fail_calls(client);
    }
}

static void retry(mb_client *client, uint64_t now)
{
    leases_sweep(client, MB_END_NONE); /* the control page outlives the connection */
    if (link_open(client) < 0 && client->state == LINK_DOWN) {
        give_up_leases(client, now);
        plan_retry(client);
    }
}

/* ---- sending ---- */

int link_send(mb_client *client, const struct request *request)
{
    if (client->state == LINK_DOWN) {
        return -ENOTCONN;
    }
    int bytes = codec_encode_request(request, client->sending, client->frame);
    if (bytes < 0) {
        return bytes;
    }
    int result = transport_send(client->socket, client->frame, (size_t)bytes, -EBADF, false);
    bool is_turned_away = client->state == LINK_GREETING && (result == -EPIPE || result == -ECONNRESET);
    if (is_turned_away) {
        return 0; /* why is to be read */
    }
    if (result < 0 && result != -EAGAIN) {
        link_broke(client);
    }
    return result;
}

void link_flush_releases(mb_client *client)
{
    mb_lease *lease;
    while (client->state == LINK_UP && (lease = TAILQ_FIRST(&client->releases))) {
        struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease->id};
        if (link_send(client, &request) < 0) {
            return; /* full: later. Broken: when the session is resumed */
        }
        TAILQ_REMOVE(&client->releases, lease, in_client);
        free(lease);
    }
}

/* ---- renewing ---- */

/* Collects what leases report that the broker does not know yet. */
static size_t collect_use(mb_client *client, struct lease_use *use, size_t max)
{
    size_t count = 0;
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        uint64_t used = atomic_load_explicit(&lease->used_bytes, memory_order_relaxed);
        if (used != lease->reported_bytes && count < max) {
            use[count++] = (struct lease_use){lease->id, used};
            lease->reported_bytes = used;
            atomic_store_explicit(&lease->is_use_known, used > 0, memory_order_relaxed);
        }
    }
    return count;
}

void link_forget_use(mb_client *client)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        lease->reported_bytes = UINT64_MAX;
    }
}

static uint32_t shortest_ttl(const mb_client *client)
{
    uint32_t shortest = UINT32_MAX;
    const mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases, in_client) {
        if (!lease->loss_told && lease->ttl_ms < shortest) {
            shortest = lease->ttl_ms;
        }
    }
    return shortest;
}

static void send_renewal(mb_client *client, uint64_t now)
{
    struct lease_use *use = client->use;
    struct request request = {.id = client->next_id++, .kind = REQUEST_RENEW};
    request.renew = (struct renew_request){use, collect_use(client, use, MESSAGE_USE_MAX)};
    int result = link_send(client, &request);
    if (result < 0) {
        link_forget_use(client);
    }
    if (result == -EAGAIN) {
        client->renew_at = now + READ_SLICE_MS; /* the broker does not read at the moment */
    }
}

/* Looks at the leases as well: the broker drops news of losses to a client that reads slowly. */
static void renew(mb_client *client, uint64_t now)
{
    leases_sweep(client, MB_END_NONE);
    uint32_t ttl = shortest_ttl(client);
    client->renew_at = ttl == UINT32_MAX ? UINT64_MAX : now + ttl / 3;
    if (ttl != UINT32_MAX && !(client->flags & MB_CLIENT_NO_RENEW)) {
        send_renewal(client, now);
    }
}

/* Soon, and not at once: leases that live shorter are not worth a message. */
void link_report_use(mb_lease *lease)
{
    mb_client *client = lease->client;
    (void)pthread_mutex_lock(&client->lock);
    uint64_t soon = clock_milliseconds() + USE_PAUSE_MS;
    atomic_store_explicit(&lease->is_use_known, true, memory_order_relaxed);
    if (soon < client->renew_at && !(client->flags & MB_CLIENT_NO_RENEW)) {
        client->renew_at = soon;
        background_wake(client);
    }
    (void)pthread_mutex_unlock(&client->lock);
}

void link_tend(mb_client *client)
{
    uint64_t now = clock_milliseconds();
    if (client->stopping) {
        return;
    }
    if (client->state == LINK_DOWN && client->retry_at <= now) {
        retry(client, now);
    } else if (client->state == LINK_UP && client->renew_at <= now) {
        renew(client, now);
    }
    link_flush_releases(client);
    cancels_send(client);
}

uint64_t link_due(const mb_client *client)
{
    bool is_owed = !TAILQ_EMPTY(&client->releases) || cancels_are_owed(client);
    uint64_t flush = is_owed ? clock_milliseconds() + READ_SLICE_MS : UINT64_MAX;
    uint64_t due = UINT64_MAX;
    if (client->state == LINK_DOWN) {
        return client->retry_at;
    }
    if (client->state == LINK_UP) {
        due = client->renew_at;
    }
    return flush < due ? flush : due;
}
