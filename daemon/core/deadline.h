/* SPDX-License-Identifier: Apache-2.0 */
/* When leases end. Times are nanoseconds of the service clock. */
#pragma once

#include "daemon/core/session.h"

/* Until when the deadlines of a session's leases stand still: its process is frozen, or its reservation is suspended.
 * 0: they don't. */
uint64_t deadline_held_until(const struct session *session);

/* When the lease ends unless it is renewed: its TTL after its grant, the last renewal or the time until which it is
 * held, whichever is latest. */
uint64_t deadline_renewed(const struct lease *lease);

/* When it ends as things stand: a session whose connection broke can't renew, and has its grace time instead. */
uint64_t deadline_of(const struct lease *lease);

/* Whether its time is over and its client may have renewed it with a message that is not read yet. */
bool deadline_needs_read(const struct lease *lease, uint64_t now);
