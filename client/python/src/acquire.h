/* SPDX-License-Identifier: Apache-2.0 */
/* Acquiring and mapping a lease, and waiting for it in the broker's queue. */
#pragma once

#include "client/python/src/compat.h"
#include "client/python/src/owner.h"

struct acquired {
    mb_lease *lease;
    void *data;
    uint64_t bytes;
};

/* options->wait_ms is how long it may wait. False: an exception is set. With the interpreter's lock. */
bool acquire(struct owner *owner, uint64_t bytes, const mb_lease_options *options, PyObject *progress,
             struct acquired *ret);
