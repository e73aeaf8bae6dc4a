/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a client and its first connection; ends both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/bus_error.h"
#include "client/call.h"
#include "client/client.h"
#include "client/error.h"
#include "client/guard.h"
#include "client/layers.h"
#include "client/owner.h"
#include "client/unreachable.h"
#include "proto/base/cleanup.h"

enum { GOODBYE_MS = 2000 };

const char *mb_version(void)
{
    return MEMBROKER_VERSION;
}

/* ---- making ---- */

static void init_locks(mb_client *client)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&client->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&client->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void client_free(mb_client *client)
{
    events_close(&client->events);
    reclaimers_close(&client->reclaimers);
    releases_close(&client->releases);
    control_close(&client->controls);
    boards_close(&client->boards);
    layers_close(client);
    link_close(&client->link);
    receive_close(&client->receiver);
    wakeup_close(&client->wakeup);
    (void)pthread_cond_destroy(&client->changed);
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
}

static mb_client *client_new(void)
{
    mb_client *client = calloc(1, sizeof *client);
    if (!client) {
        return NULL;
    }
    client->owner = owner_process();
    client->serial = registry_new_number();
    atomic_store(&client->epoch, registry_new_number());
    init_locks(client);
    boards_init(&client->boards);
    wakeup_init(&client->wakeup);
    calls_init(&client->calls);
    lease_table_init(&client->leases);
    releases_init(&client->releases);
    renewal_init(&client->renewal);
    events_init(&client->events);
    reclaimers_init(&client->reclaimers);
    TAILQ_INIT(&client->workspaces);
    int linked = link_init(&client->link), received = receive_init(&client->receiver);
    if (linked < 0 || received < 0) {
        client_free(client);
        return NULL;
    }
    return client;
}

/* ---- connecting ---- */

/* Retries while too many others connect at the same time. */
static int open_link(mb_client *client)
{
    uint64_t deadline = clock_milliseconds() + client->options.timeout_ms;
    int result = link_open(client);
    while (result == -EAGAIN && clock_milliseconds() < deadline) {
        const struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
        result = link_open(client);
    }
    return result;
}

/* Connects, and waits for the welcome of the first session. */
static int greet(mb_client *client)
{
    struct call hello = {.id = 0};
    (void)pthread_mutex_lock(&client->lock);
    int result = open_link(client);
    hello.id = client->session.hello_id;
    (void)pthread_mutex_unlock(&client->lock);
    if (result < 0) {
        return unreachable(&client->link.address, result, "MEMBROKER_SOCKET");
    }
    return call_broker(client, NULL, &hello);
}

static int start(mb_client *client, const mb_client_options *options)
{
    int result = client_options_take(client, options);
    if (result == 0) {
        result = layers_open(client) < 0 ? error_set(-ENOMEM, "out of memory") : 0;
    }
    if (result == 0) {
        result = bus_error_install(client->options.flags & MB_CLIENT_GUARD);
    }
    if (result == 0) {
        result = greet(client);
    }
    if (result == 0 && client->options.on_event) {
        result = background_need(client);
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

/*
 * Waits until the broker has ended the session, so that its memory is free when this returns. A session that never had
 * any need not wait; but what has arrived is read, since the kernel drops the goodbye if the socket closes over it.
 */
static void say_goodbye(mb_client *client)
{
    struct request bye = {.kind = REQUEST_BYE};
    struct call call = {0};
    if (client->link.state == LINK_UP && client->session.had_lease) {
        client->options.timeout_ms = GOODBYE_MS;
        (void)call_broker(client, &bye, &call);
    } else if (client->link.state == LINK_UP && link_send(client, &bye) == 0) {
        receive_discard(client);
    }
}

/* The fork may have come in the middle of a change to the client's lists, so the child must not follow them. */
static void close_inherited(mb_client *client)
{
    client->link.socket = fd_close(client->link.socket);
    wakeup_close(&client->wakeup);
}

void mb_disconnect(mb_client *client)
{
    if (!client) {
        return;
    }
    if (!owner_is_here(client)) {
        close_inherited(client);
        return;
    }
    background_stop(client);
    client->is_stopping = true;
    registry_lock();
    registry_remove(client);
    layers_close(client);
    registry_unlock();
    lease_table_close(&client->leases);
    say_goodbye(client);
    client_free(client);
}
