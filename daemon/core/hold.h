/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of reservations who can't renew, because a scheduler froze them or suspended their reservation: their
 * deadlines stand still, for at most [reservations] hold_while_frozen since the last renewal. Afterwards each lease has
 * its whole TTL, and a client that has to reconnect its whole grace.
 *
 * No lease of a member expires before its process was looked at, unless the look takes HOLD_PATIENCE.
 */
#pragma once

#include "daemon/core/broker_state.h"

#define HOLD_PATIENCE (2 * NANOSECONDS_PER_SECOND)
#define HOLD_BEAT     (20 * NANOSECONDS_PER_MILLISECOND) /* between two checks while a look is awaited */

/* A lease that is due: whether it is held, or a look is awaited. Then it is filed under a later time. */
bool hold_lease(struct step *step, struct lease *lease);

/* The same of a detached session whose grace is over. */
bool hold_grace(struct step *step, struct session *session);

/* Its process was looked at. */
void hold_looked(struct step *step, struct session *session, bool is_frozen);

/* Its client has shown that it runs: it may be held anew for the whole time. */
void hold_renewed(struct session *session, uint64_t now);

/* The time runs again for a session that was held. */
void hold_end(struct step *step, struct session *session);
