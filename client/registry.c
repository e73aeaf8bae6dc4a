/* SPDX-License-Identifier: Apache-2.0 */
/* The list of this process's clients, and the numbers that tell them and their heaps apart. */
#include "client/registry.h"

#include <pthread.h>

#include "client/client.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(client_list, mb_client) clients = LIST_HEAD_INITIALIZER(clients);

/* A thread that the child lacks may have held the lock. The child has no clients: the parent's are not for it. */
static void in_child(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    LIST_INIT(&clients);
}

__attribute__((constructor)) static void registry_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

void registry_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void registry_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

void registry_add(mb_client *client)
{
    LIST_INSERT_HEAD(&clients, client, in_process);
}

void registry_remove(mb_client *client)
{
    LIST_REMOVE(client, in_process);
}

bool registry_has(const mb_client *client, uint64_t serial)
{
    const mb_client *other;
    LIST_FOREACH(other, &clients, in_process) {
        if (other == client) {
            return other->serial == serial;
        }
    }
    return false;
}

bool registry_finds(const mb_client *client, uint64_t serial)
{
    registry_lock();
    bool has = registry_has(client, serial);
    registry_unlock();
    return has;
}

uint64_t registry_new_number(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}
