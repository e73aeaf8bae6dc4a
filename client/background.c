/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the background thread. */
#include "client/background.h"

#include <signal.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"
#include "client/upkeep.h"

/* While a call waits its thread reads, so that the answer costs no switch between threads. */
static void receive_all(mb_client *client)
{
    while (TAILQ_EMPTY(&client->calls.sent) && receive_one(client, false)) {
    }
}

static void *background_main(void *argument)
{
    mb_client *client = argument;
    (void)pthread_mutex_lock(&client->lock);
    while (!client->is_stopping) {
        upkeep_connection(client);
        receive_all(client);
        (void)pthread_mutex_unlock(&client->lock);
        upkeep_program(client);
        wakeup_sleep(&client->wakeup, upkeep_timeout(client));
        (void)pthread_mutex_lock(&client->lock);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return NULL;
}

/* The program's signal handlers must not run on this thread. */
int background_start(mb_client *client)
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
