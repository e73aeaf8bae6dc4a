/* SPDX-License-Identifier: Apache-2.0 */
/* Other settings come into force while sessions live. */
#pragma once

#include "daemon/core/broker_state.h"

/*
 * After a change of reservations: puts the sessions under what the policy in force says of them whose control groups
 * are in these paths or below, or whose reservation is no more. Of all others it says what it said before.
 */
void configure_regroup_around(struct broker *broker, const struct control_paths *paths);

void configure_broker(struct step *step, const struct broker_settings *settings);
