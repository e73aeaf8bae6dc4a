/* SPDX-License-Identifier: Apache-2.0 */
/* The background thread: it renews, reconnects, tells the program what happens, and trims. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "membroker.h"

struct background {
    pthread_t thread;
    bool is_running; /* false: the program dispatches */
};

/* Returns 0, or negative errno with the sentence set. */
int background_start(mb_client *client);
void background_stop(mb_client *client);
