/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trimming: unused memory goes back after a while, and immediately if the broker asks. The broker hears when that is
 * done, after the program's callback had its turn, so that a request that waits for the memory need not wait longer.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

/* Guarded by the client's lock, but for `asked_count`. */
struct trim {
    bool is_asked;                /* the broker waits to hear that it was done */
    uint64_t again_at;            /* ms: when the client looks once more; 0: not */
    _Atomic uint32_t asked_count; /* how often the broker asked; threads compare it without the lock */
};

/* What was not used for this long goes back, in ms. */
enum { TRIM_IDLE_MS = 1000 };

/* The broker asks. The client's lock is held. */
void trim_ask(mb_client *client);

/* Gives back what is to go back now. Call it without the lock, after the events were delivered. */
void trim_run(mb_client *client);

/* When trim_run() has work, in ms; UINT64_MAX: never. The client's lock is held. */
uint64_t trim_due(const mb_client *client);
