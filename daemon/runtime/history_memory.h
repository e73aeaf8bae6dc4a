/* SPDX-License-Identifier: Apache-2.0 */
/* Where events and samples are: a memfd that the service manager keeps, or without one, memory of the daemon's own. */
#pragma once

#include <stddef.h>

#include "daemon/core/event_ring.h"
#include "daemon/core/sample_ring.h"
#include "daemon/os/service_manager.h"

struct history_memory {
    struct event_ring *ring;    /* NULL: there is no room for an event, or it could not be made */
    struct sample_ring samples; /* if there is a ring of events */
    void *address;
    size_t bytes;
};

/*
 * For at most so many bytes, the index included, with what is left from before, if there is anything; else numbers
 * begin above `first`. If no event fits, it forgets what is left. 0 or negative errno.
 */
int history_memory_open(struct history_memory *ret, uint64_t bytes, uint64_t first, struct handed_descriptors *handed);

/* What the service manager keeps stays. */
void history_memory_close(struct history_memory *memory);
