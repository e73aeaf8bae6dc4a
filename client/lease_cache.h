/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases that the program released, kept mapped for its next request of that size. They are plain leases of RAM: those
 * that were acquired with MB_LEASE_UNDEFINED_CONTENT, and all others if the client has cache_bytes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/lease.h"

LIST_HEAD(kept_list, mb_lease);

enum { LEASE_CACHE_LISTS = 32 };

/* Guarded by the client's lock, but for `bytes`. */
struct lease_cache {
    _Atomic uint64_t bytes;                   /* kept now; threads look whether there are any without the lock */
    uint64_t look_at;                         /* ms: when the oldest may have to go; 0: not planned */
    bool was_used;                            /* since the last look */
    struct kept_list kept[LEASE_CACHE_LISTS]; /* by size; the newest first */
};

/* Whether a lease of `bytes` with these options may be kept. */
bool lease_cache_suits(const mb_lease_options *options, uint64_t bytes);

/* Whether the lease has the size that the broker keeps for its name, if it is granted with these options. */
bool lease_cache_is_learned(const mb_lease_options *options, uint64_t bytes);

/* Whether its descriptor has to stay open, so that it can be cleared. */
bool lease_cache_needs_descriptor(const mb_client *client, const mb_lease_options *options, uint64_t bytes);

/* Keeps a lease that is being released. False: it can't be kept. The client's lock is held. */
bool lease_cache_keep(mb_lease *lease);

/* A kept lease for this request, zeroed unless the options allow old content; NULL: there is none. Takes the lock. */
mb_lease *lease_cache_take(mb_client *client, uint64_t bytes, const mb_lease_options *options);

/* Whether lease_cache_take() would find one. Takes the lock. */
bool lease_cache_has(mb_client *client, uint64_t bytes, const mb_lease_options *options);

/* Whether anything is kept. */
bool lease_cache_holds(const mb_client *client);

/* Gives back what has been kept for too long. Takes the lock. */
void lease_cache_trim(mb_client *client, uint64_t now);

/* Gives back everything. Returns whether there was anything. Takes the lock. */
bool lease_cache_empty(mb_client *client);

/* When lease_cache_trim() has work, in ms; UINT64_MAX: never. The client's lock is held. */
uint64_t lease_cache_due(const mb_client *client);
