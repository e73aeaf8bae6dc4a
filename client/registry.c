/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of this process. */
#include "client/registry.h"

#include "client/buffer/heap.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(client_list, mb_client) clients = LIST_HEAD_INITIALIZER(clients);

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
            return heap_of(other->heaps, MB_LOCATION_RAM)->serial == serial;
        }
    }
    return false;
}

bool registry_asks(const mb_client *client, uint64_t serial)
{
    registry_lock();
    bool has = registry_has(client, serial);
    registry_unlock();
    return has;
}
