/* SPDX-License-Identifier: Apache-2.0 */
/* A lease's memory in this process. */
#pragma once

#include <stdbool.h>

#include "client/lease.h"

/* Whether the process may give up pages of a mapped lease, and they are zero when it touches them again: not if the
 * broker or the client's options want them to exist, and not in a file, which would lose its blocks. */
bool mapping_may_lose_pages(const mb_lease *lease);

/* Removes a lease's mappings, or replaces them by zeros, and closes its descriptors. No lock is needed. */
void mapping_remove(mb_lease *lease);

/*
 * Replaces the writable mapping of a lease that is to be published by a read-only one, and closes the descriptors: at
 * the same address, or at another one with private zeros in the place of the first. Later calls do nothing. Returns 0,
 * or negative errno with the sentence set. No lock is needed.
 */
int mapping_end_writing(mb_lease *lease, bool to_zeros);

/* Forbids access to a lease's mapped extents, or allows it again. False: the kernel refused. No lock is needed. */
bool mapping_protect(mb_lease *lease, bool is_protected);
