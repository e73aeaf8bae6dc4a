/* SPDX-License-Identifier: Apache-2.0 */
/* Other settings come into force while sessions live. */
#pragma once

#include "daemon/core/broker_state.h"

/*
 * After a change of reservations: puts the sessions under what the policy in force says of them that another path makes
 * members now, or whose reservation is no more. Of all others it says what it said before.
 */
void configure_regroup_reserved(struct broker *broker);

void configure_broker(struct step *step, const struct broker_settings *settings);
