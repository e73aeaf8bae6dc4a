/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of this process. A thread that ends and a client that disconnects both take down what they share; they
 * hold the registry's lock meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

void registry_lock(void);
void registry_unlock(void);

/* With the lock held. */
void registry_add(mb_client *client);
void registry_remove(mb_client *client);

/* Whether the client of this address and serial number is still connected. registry_has() needs the lock held. */
bool registry_has(const mb_client *client, uint64_t serial);
bool registry_finds(const mb_client *client, uint64_t serial);

/* A number that nothing else in this process has. Any thread; takes no lock. */
uint64_t registry_new_number(void);
