/* SPDX-License-Identifier: Apache-2.0 */
/* Giving leases back. */
#pragma once

#include "membroker.h"

/* Releases a lease as mb_release() does, but does not report a loss. NULL is allowed. Takes the lock. */
void release_drop(mb_lease *lease);
