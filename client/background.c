/* SPDX-License-Identifier: Apache-2.0 */
/* The background thread: renews, reconnects, and tells the program what happens. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"

void background_wake(mb_client *client)
{
    uint64_t one = 1;
    if (client->wake >= 0) {
        (void)!write(client->wake, &one, sizeof one); /* full: it will wake up anyway */
    }
}

void background_settle(mb_client *client)
{
    uint64_t count;
    (void)!read(client->wake, &count, sizeof count);
}

static int time_to_wait(mb_client *client)
{
    uint64_t due = client_due(client);
    uint64_t now = clock_milliseconds();
    if (due == UINT64_MAX) {
        return -1;
    }
    uint64_t wait = due > now ? due - now : 0;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

static void sleep_until_due(mb_client *client)
{
    struct epoll_event events[2];
    int timeout = time_to_wait(client);
    (void)pthread_mutex_unlock(&client->lock);
    (void)epoll_wait(client->epoll, events, 2, timeout);
    background_settle(client);
    (void)pthread_mutex_lock(&client->lock);
}

/* While a call is under way its thread reads; reading here as well would only take its answers from it. */
static void receive_all(mb_client *client)
{
    while (TAILQ_EMPTY(&client->calls) && receive_one(client, false)) {
    }
}

static void *background_main(void *argument)
{
    mb_client *client = argument;
    (void)pthread_mutex_lock(&client->lock);
    while (!client->stopping) {
        link_tend(client);
        receive_all(client);
        (void)pthread_mutex_unlock(&client->lock);
        events_deliver(client);
        trim_tend(client);
        (void)pthread_mutex_lock(&client->lock);
        if (!client->stopping) {
            sleep_until_due(client);
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
    return NULL;
}

/* The program's signals are the program's: its handlers must not run on this thread. */
int background_start(mb_client *client)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&client->thread, NULL, background_main, client);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        return error_set(-error, "the background thread could not be started: %s", strerrordesc_np(error));
    }
    (void)pthread_setname_np(client->thread, "membroker");
    client->has_thread = true;
    return 0;
}

void background_stop(mb_client *client)
{
    if (!client->has_thread) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    client->stopping = true;
    background_wake(client);
    (void)pthread_mutex_unlock(&client->lock);
    (void)pthread_join(client->thread, NULL);
    client->has_thread = false;
}
