/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be done from time to time: by the background thread, by a program that dispatches, or by a call. */
#pragma once

#include <stdint.h>

#include "membroker.h"

/* Reconnects, renews, and sends what could not be sent before. The client's lock is held. */
void upkeep_connection(mb_client *client);

/* Tells the program what happened, then trims. Call it without the lock. */
void upkeep_program(mb_client *client);

/* When there is something to do, in ms; UINT64_MAX: never. The client's lock is held. */
uint64_t upkeep_due(const mb_client *client);

/* The same as a timeout of poll(); -1: none. */
int upkeep_timeout(const mb_client *client);
