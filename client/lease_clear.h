/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clears the memory of a kept lease. Writing zeros to a small one costs less than a new lease. Of a large one, only the
 * pages that exist are written, which its descriptor tells.
 */
#pragma once

#include "client/lease.h"

/* Whether a lease of that size needs its descriptor to be cleared. */
bool lease_clear_needs_descriptor(uint64_t bytes);

/* Whether that costs less than a new lease whose pages are written. */
bool lease_clear_is_cheap(const mb_lease *lease);

/* The lease is mapped, has one extent, and nobody uses it. */
void lease_clear(const mb_lease *lease);
