/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leases that could be taken from the sessions of a share: all that are alive and not marked to be taken already. A
 * set for each location finds them by size, and of one size the newest first.
 */
#pragma once

#include "daemon/core/lease.h"

/* Adds a lease to the set of its location in its session's share. */
void revocable_insert(struct lease *lease);

/* Removes it from the set that it is in, if it is in any. */
void revocable_remove(struct lease *lease);

/* The smallest lease of at least so many bytes, and the largest of all; NULL: there is none. */
struct lease *revocable_smallest(struct revocable_set *set, uint64_t least_bytes);
struct lease *revocable_largest(struct revocable_set *set);
