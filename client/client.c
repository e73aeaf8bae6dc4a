/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: connecting, disconnecting, and the calls that a program without a background thread makes. */
#include "client/client.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client/error.h"
#include "client/guard.h"
#include "client/misuse.h"
#include "client/registry.h"
#include "client/socket_path.h"
#include "client/unreachable.h"
#include "proto/base/cleanup.h"
#include "proto/name.h"

enum { DEFAULT_TIMEOUT_MS = 30000, GOODBYE_MS = 2000 };

/* ---- making ---- */

static int take_options(mb_client *client, const mb_client_options *options)
{
    const char *name = options->name ? options->name : program_invocation_short_name;
    client->hello = (struct hello_request){
        .protocol_min = PROTOCOL_VERSION_OLDEST,
        .protocol_max = PROTOCOL_VERSION,
        .heap_bytes = options->heap_bytes,
        .max_bytes = options->max_bytes,
        .max_physical_bytes = options->max_physical_bytes,
    };
    client->flags = options->flags;
    client->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    client->on_event = options->on_event;
    client->user_data = options->user_data;
    client->on_reclaim = options->on_reclaim;
    client->max_retries = options->max_retries;
    client->retry_wait_ms = options->retry_wait_ms;
    client->cache_bytes = options->cache_bytes;
    client->wait_ms = options->wait_ms;
    if (misuse_wanted()) {
        client->flags |= MB_CLIENT_CATCH_MISUSE;
    }
    if (options->name && !name_is_valid(name)) {
        return error_set(-EINVAL, "the client's name must be UTF-8 of at most 63 bytes without control characters");
    }
    (void)stpncpy(client->hello.name, name_is_valid(name) ? name : "", sizeof client->hello.name - 1);
    return socket_path_resolve(options->socket, &client->address);
}

static int open_descriptors(mb_client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = -1};
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    client->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->epoll < 0 || client->wake < 0) {
        return error_set(-errno, "a client needs two descriptors: %s", strerrordesc_np(errno));
    }
    event.data.fd = client->wake;
    return epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->wake, &event) < 0 ? -errno : 0;
}

static mb_client *client_new(void)
{
    mb_client *client = calloc(1, sizeof *client);
    if (!client) {
        return NULL;
    }
    client->owner = getpid();
    client->serial = registry_new_number();
    atomic_store(&client->epoch, registry_new_number());
    client->socket = client->epoll = client->wake = client->orphan = -EBADF;
    client->next_id = 1;
    client->renew_at = UINT64_MAX;
    client->sending = codec_arena_new();
    client->receiving = codec_arena_new();
    (void)pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&client->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    TAILQ_INIT(&client->calls);
    TAILQ_INIT(&client->unsent);
    TAILQ_INIT(&client->leases);
    TAILQ_INIT(&client->releases);
    TAILQ_INIT(&client->events);
    TAILQ_INIT(&client->workspaces);
    return client;
}

static void client_free(mb_client *client)
{
    struct queued_event *event;
    mb_lease *lease;
    while ((event = TAILQ_FIRST(&client->events))) {
        TAILQ_REMOVE(&client->events, event, in_client);
        if (event->event.lease) {
            lease_unreference(event->event.lease);
        }
        free(event);
    }
    while ((lease = TAILQ_FIRST(&client->releases))) {
        TAILQ_REMOVE(&client->releases, lease, in_client);
        free(lease);
    }
    control_unmap(client);
    layers_close(client);
    (void)fd_close(client->socket);
    (void)fd_close(client->epoll);
    (void)fd_close(client->wake);
    (void)pthread_cond_destroy(&client->changed);
    (void)pthread_mutex_destroy(&client->lock);
    free(client->sending);
    free(client->receiving);
    free(client);
}

/* ---- connecting ---- */

/* Waits for the welcome of the first session. */
static int greet(mb_client *client)
{
    struct call hello = {.id = 0};
    uint64_t deadline = clock_milliseconds() + client->timeout_ms;
    (void)pthread_mutex_lock(&client->lock);
    int result = link_open(client);
    while (result == -EAGAIN && clock_milliseconds() < deadline) { /* many others want to connect as well */
        struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
        result = link_open(client);
    }
    hello.id = client->hello_id;
    if (result < 0) {
        (void)pthread_mutex_unlock(&client->lock);
        return unreachable(&client->address, result, "MEMBROKER_SOCKET");
    }
    (void)pthread_mutex_unlock(&client->lock);
    return call_broker(client, NULL, &hello);
}

static int start(mb_client *client, const mb_client_options *options)
{
    int result = client->sending && client->receiving ? 0 : error_set(-ENOMEM, "out of memory");
    if (result == 0) {
        result = take_options(client, options);
    }
    if (result == 0) {
        result = layers_open(client) < 0 ? error_set(-ENOMEM, "out of memory") : 0;
    }
    if (result == 0) {
        result = guard_install(client->flags & MB_CLIENT_GUARD);
    }
    if (result == 0) {
        result = open_descriptors(client);
    }
    if (result == 0) {
        result = greet(client);
    }
    if (result == 0 && !(client->flags & MB_CLIENT_NO_THREAD)) {
        result = background_start(client);
    }
    return result;
}

int mb_connect(const mb_client_options *options, mb_client **ret_client)
{
    static const mb_client_options defaults = MB_CLIENT_OPTIONS_INIT;
    mb_client_options known = defaults;
    if (options) {
        if (options->size < sizeof *options) {
            return error_set(-EINVAL, "the options must begin as MB_CLIENT_OPTIONS_INIT");
        }
        memcpy(&known, options, sizeof known);
    }
    mb_client *client = client_new();
    if (!client) {
        return error_set(-ENOMEM, "out of memory");
    }
    int result = start(client, &known);
    if (result < 0) {
        client_free(client);
        return result;
    }
    registry_lock();
    registry_add(client);
    registry_unlock();
    *ret_client = client;
    return error_end(0);
}

/* ---- disconnecting ---- */

/* Waits until the broker has ended the session, so that whoever looks afterwards finds the memory free. */
static void say_goodbye(mb_client *client)
{
    struct request bye = {.kind = REQUEST_BYE};
    struct call call = {0};
    if (client->state == LINK_UP) {
        client->timeout_ms = GOODBYE_MS;
        (void)call_broker(client, &bye, &call);
    }
}

/* The fork may have come in the middle of a change to the client's lists: the child must not follow them. */
static void close_inherited(mb_client *client)
{
    client->socket = fd_close(client->socket);
    client->epoll = fd_close(client->epoll);
    client->wake = fd_close(client->wake);
}

static void drop_leases(mb_client *client)
{
    mb_lease *lease;
    while ((lease = TAILQ_FIRST(&client->leases))) {
        TAILQ_REMOVE(&client->leases, lease, in_client);
        lease_unmap(lease);
        lease_unreference(lease); /* an event that was not told may still refer to it */
    }
}

void mb_disconnect(mb_client *client)
{
    if (!client) {
        return;
    }
    if (client->owner != getpid()) {
        close_inherited(client);
        return;
    }
    background_stop(client);
    client->stopping = true;
    registry_lock();
    registry_remove(client);
    layers_close(client);
    registry_unlock();
    drop_leases(client);
    say_goodbye(client);
    client_free(client);
}

/* ---- for programs without a background thread ---- */

static int check_manual(const mb_client *client)
{
    if (client->has_thread) {
        return error_set(-EINVAL, "this client has a background thread; connect with MB_CLIENT_NO_THREAD to dispatch");
    }
    return owner_check(client);
}

int mb_client_fd(const mb_client *client)
{
    int result = check_manual(client);
    return result < 0 ? result : error_end(client->epoll);
}

uint64_t client_due(const mb_client *client)
{
    uint64_t due = link_due(client), idle = layers_due(client), cached = lease_cache_due(client);
    due = idle < due ? idle : due;
    due = cached < due ? cached : due;
    due = client->trim_again_at && client->trim_again_at < due ? client->trim_again_at : due;
    return client->trim_asked ? 0 : due;
}

int mb_client_timeout(mb_client *client)
{
    int result = check_manual(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    uint64_t due = client_due(client);
    (void)pthread_mutex_unlock(&client->lock);
    uint64_t now = clock_milliseconds();
    (void)error_end(0);
    if (due == UINT64_MAX) {
        return -1;
    }
    uint64_t wait = due > now ? due - now : 0;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

int mb_client_dispatch(mb_client *client)
{
    int result = check_manual(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    background_settle(client);
    link_tend(client);
    while (receive_one(client, false)) {
    }
    link_flush_releases(client);
    (void)pthread_mutex_unlock(&client->lock);
    events_deliver(client);
    trim_tend(client);
    return error_end(0);
}

mb_pressure mb_client_pressure(mb_client *client)
{
    (void)pthread_mutex_lock(&client->lock);
    uint32_t pressure = control_pressure(client);
    (void)pthread_mutex_unlock(&client->lock);
    return (mb_pressure)pressure;
}

uint64_t mb_client_session(const mb_client *client)
{
    return client->session;
}

int mb_ping(mb_client *client)
{
    struct request request = {.kind = REQUEST_PING};
    struct call call = {0};
    return error_end(call_broker(client, &request, &call));
}
