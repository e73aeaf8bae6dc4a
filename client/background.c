/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the background thread. */
#include "client/background.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"
#include "client/owner.h"
#include "client/upkeep.h"

/* Without calls for this long, the thread reads the socket again. */
enum { CALM_MS = 10 };

/*
 * An answer that a caller reads must not wake this thread too. To look at the socket only while nobody calls would take
 * two system calls a call; so after a call the thread looks away for a while. Returns the socket to look at, or -EBADF.
 */
static int what_to_watch(mb_client *client, int *timeout_ms)
{
    struct background *background = &client->background;
    bool is_calm = background->calls == client->calls.begun;
    background->calls = client->calls.begun;
    background->is_aside = is_calm && !TAILQ_EMPTY(&client->calls.sent); /* one call waits for long */
    if (!is_calm && (*timeout_ms < 0 || *timeout_ms > CALM_MS)) {
        *timeout_ms = CALM_MS;
    }
    return is_calm && !background->is_aside ? client->link.socket : -EBADF;
}

void background_go_on(mb_client *client)
{
    if (client->background.is_aside) {
        client->background.is_aside = false;
        wakeup_send(client);
    }
}

/* The lock is given up meanwhile. */
static void sleep_and_receive(mb_client *client)
{
    int timeout_ms = upkeep_timeout(client);
    int socket = what_to_watch(client, &timeout_ms);
    (void)pthread_mutex_unlock(&client->lock);
    bool has_data = wakeup_sleep(&client->wakeup, socket, timeout_ms);
    (void)pthread_mutex_lock(&client->lock);
    bool is_read = !TAILQ_EMPTY(&client->calls.sent); /* by a thread that waits */
    if (has_data && !is_read && !client->is_stopping) {
        receive_all(client);
    }
}

static void *background_main(void *argument)
{
    mb_client *client = argument;
    (void)pthread_mutex_lock(&client->lock);
    while (!client->is_stopping) {
        upkeep_connection(client);
        (void)pthread_mutex_unlock(&client->lock);
        upkeep_program(client);
        (void)pthread_mutex_lock(&client->lock);
        sleep_and_receive(client);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return NULL;
}

/* The program's signal handlers must not run on this thread. */
static int start(mb_client *client)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&client->background.thread, NULL, background_main, client);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        return error_set(-error, "the background thread could not be started: %s", strerrordesc_np(error));
    }
    (void)pthread_setname_np(client->background.thread, "membroker");
    client->background.is_running = true;
    return 0;
}

int background_need(mb_client *client)
{
    if (client->background.is_running || client->options.flags & MB_CLIENT_NO_THREAD) {
        return 0;
    }
    int result = owner_check(client);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (!client->background.is_running) {
        result = wakeup_open(&client->wakeup);
        result = result < 0 ? result : start(client);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return result;
}

void background_stop(mb_client *client)
{
    if (!client->background.is_running) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    client->is_stopping = true;
    wakeup_send(client);
    (void)pthread_mutex_unlock(&client->lock);
    (void)pthread_join(client->background.thread, NULL);
    client->background.is_running = false;
}
