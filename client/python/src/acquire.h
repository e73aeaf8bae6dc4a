/* SPDX-License-Identifier: Apache-2.0 */
/* Acquiring and mapping leases and blocks, and waiting for them in the broker's queue. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

struct acquired {
    mb_lease *lease;
    mb_block *block; /* whose lease it is; NULL: none */
    void *data;
    uint64_t bytes;
};

/* options->wait_ms is how long it may wait. False: an exception is set. With the interpreter's lock. */
bool acquire(struct owner *owner, uint64_t bytes, const mb_lease_options *options, PyObject *progress,
             struct acquired *ret);

/* The same for memory that can be published. */
bool acquire_block(struct owner *owner, uint64_t bytes, const mb_block_options *options, PyObject *progress,
                   struct acquired *ret);
