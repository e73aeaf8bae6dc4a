/* SPDX-License-Identifier: Apache-2.0 */
/* Giving leases back. */
#pragma once

#include "membroker.h"

/* Releases a lease as mb_release() does, but does not report a loss. NULL is allowed. Takes the lock. */
void release_drop(mb_lease *lease);

/* The same; if the lease is kept, touching its memory raises SIGSEGV meanwhile, as if it were unmapped. */
void release_protected(mb_lease *lease);

/* The same, but the lease is not kept for another request. */
void release_give_back(mb_lease *lease);
