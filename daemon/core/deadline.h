/* SPDX-License-Identifier: Apache-2.0 */
/* When leases end. Times are nanoseconds of the service clock. */
#pragma once

#include "daemon/core/session.h"

/* When the lease ends unless it is renewed: its TTL after its grant or the last renewal, whichever was later. */
uint64_t deadline_renewed(const struct lease *lease);

/* When it ends as things stand: a session whose connection broke can't renew, and has its grace time instead. */
uint64_t deadline_of(const struct lease *lease);

/* Whether its time is over and its client may have renewed it with a message that is not read yet. */
bool deadline_needs_read(const struct lease *lease, uint64_t now);
