/* SPDX-License-Identifier: Apache-2.0 */
/* Making, extending and giving up reservations. Each may be repeated: the same again is answered as it was done. */
#pragma once

#include "daemon/core/broker_state.h"

/* Makes one, or fails: ERROR_BUSY (another one has the name or a path), ERROR_LIMIT (the sum of what is guaranteed),
 * ERROR_TOO_MANY, ERROR_INVALID, ERROR_NOT_PERMITTED. */
void reservations_reserve(struct step *step, const struct input *input);

/* Adds control groups to one. */
void reservations_attach(struct step *step, const struct input *input);

/* Gives one up: its guarantee ends immediately, and all its leases are revoked. */
void reservations_unreserve(struct step *step, const struct input *input);

/* No process is left in the control groups of one that was given up: it is forgotten. */
void reservations_emptied(struct step *step, const struct input *input);

/* Revokes leases of those that were given up, as many as there is room for in the step. */
void reservations_work(struct step *step);

/* Whether leases are left for the next step. */
bool reservations_are_due(const struct broker *broker);
