/* SPDX-License-Identifier: Apache-2.0 */
/* Asking clients to give back what they do not use. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

#define TRIM_INTERVAL NANOSECONDS_PER_SECOND /* no session is asked more often */

/* Asks the largest holders of what is short, lowest priority first. Returns whether any answer is awaited. */
bool trim_ask(struct step *step, const struct session *asking, const struct denial *denial);

/* The session has answered, or can't any more. */
void trim_answered(struct broker *broker, struct session *session);

/* Gives up on the answers that are overdue. */
void trim_expire(struct step *step);
