/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freed buffers on their way from thread to thread, in batches of one size class. A place holds one batch, and whoever
 * exchanges its pointer owns the batch, so any thread may call these functions, and none waits.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffer/size_class.h"
#include "membroker.h"

enum { DEPOT_PLACES = 8, DEPOT_BATCH_MAX = 127 };

struct depot_batch;

struct depot_places {
    _Alignas(64) struct depot_batch *_Atomic of[DEPOT_PLACES];
};

struct depot {
    _Atomic uint64_t bytes; /* in all batches */
    struct depot_places classes[SIZE_CLASSES];
};

/* A batch for the depot. `epoch`: the client's when the buffers were known to be valid. */
struct depot_gift {
    mb_buffer *const *buffers;
    unsigned size_class, count; /* at most DEPOT_BATCH_MAX */
    uint64_t epoch;
};

/* An empty one; NULL: out of memory. */
struct depot *depot_new(void);

/* Takes the buffers over. False: there is no memory, no place, or the depot would have more than `bytes_max`. */
bool depot_give(struct depot *depot, const struct depot_gift *gift, uint64_t bytes_max);

/* A batch that was given: its size, 0 if there is none. `ret` has room for DEPOT_BATCH_MAX. */
unsigned depot_take(struct depot *depot, unsigned size_class, mb_buffer **ret, uint64_t *ret_epoch);

/* Forgets the buffers. No other thread uses the depot any more. NULL is allowed. */
void depot_free(struct depot *depot);
