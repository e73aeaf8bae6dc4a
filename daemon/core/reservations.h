/* SPDX-License-Identifier: Apache-2.0 */
/* Making, extending and giving up reservations. Each may be repeated: the same again is answered as it was done. */
#pragma once

#include "daemon/core/broker_state.h"

/*
 * A Reserve, Attach, Suspend or Unreserve. Errors: ERROR_BUSY (another one has the name or a path), ERROR_LIMIT (the
 * sum of what is guaranteed), ERROR_TOO_MANY, ERROR_INVALID, ERROR_NO_SUCH_RESERVATION, ERROR_NOT_PERMITTED. Giving one
 * up ends its guarantee immediately, and all its leases are revoked.
 */
void reservations_request(struct step *step, const struct input *input);

/* No process is left in the control groups of those of these that were given up: they are forgotten. */
void reservations_emptied(struct step *step, const struct input_emptied *emptied);

/* Gives up those whose time is over. */
void reservations_expire(struct step *step);

/* Revokes leases of those that were given up, as many as there is room for in the step. */
void reservations_work(struct step *step);

/* When reservations_expire() or reservations_work() has something to do; 0: now; UINT64_MAX: not at all. */
uint64_t reservations_next_wakeup(const struct broker *broker);
