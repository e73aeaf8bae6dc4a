/* SPDX-License-Identifier: Apache-2.0 */
/* Where the events are: a memfd that the service manager keeps, or without one, memory of the daemon's own. */
#pragma once

#include <stddef.h>

#include "daemon/core/event_ring.h"
#include "daemon/os/service_manager.h"

struct history_memory {
    struct event_ring *ring; /* NULL: there is no room for an event, or it could not be made */
    void *address;
    size_t bytes;
};

/* For so many events, whose numbers are above `first` if there were none; with those that are left from before, if
 * there are any. Room for none forgets them. 0 or negative errno. */
int history_memory_open(struct history_memory *ret, uint32_t room, uint64_t first, struct handed_descriptors *handed);

/* Takes NULL. What the service manager keeps stays. */
void history_memory_close(void *address, size_t bytes);
