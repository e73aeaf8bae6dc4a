/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of this process. Whoever takes down what a thread and a client share (a thread that ends, a client that
 * disconnects) holds the registry's lock meanwhile.
 */
#pragma once

#include <stdbool.h>

#include "client/client.h"

void registry_lock(void);
void registry_unlock(void);

/* With the lock held. */
void registry_add(mb_client *client);
void registry_remove(mb_client *client);

/* Whether this client, with this serial of its RAM heap, has not disconnected. With the lock held; and without. */
bool registry_has(const mb_client *client, uint64_t serial);
bool registry_asks(const mb_client *client, uint64_t serial);
