/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases that the program released, kept for its next request of that size. Only plain leases of RAM are kept, and only
 * while all of them together stay within the client's cache_bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/lease.h"

struct lease_cache {
    uint64_t bytes; /* kept now; guarded by the client's lock */
};

/* Whether leases with these options may be reused. */
bool lease_cache_suits(const mb_lease_options *options);

/* Keeps a lease that is being released. False: it can't be kept. The client's lock is held. */
bool lease_cache_keep(mb_lease *lease);

/* A kept lease of this size and name, zeroed; NULL: there is none. Takes the lock. */
mb_lease *lease_cache_take(mb_client *client, uint64_t bytes, const mb_lease_options *options);

/* Gives back what was kept before `before` (ms). Returns whether there was anything. Takes the lock. */
bool lease_cache_trim(mb_client *client, uint64_t before);

/* When the first is to be given back, in ms; UINT64_MAX: there is none. The client's lock is held. */
uint64_t lease_cache_due(const mb_client *client);
