/* SPDX-License-Identifier: Apache-2.0 */
/* Other settings come into force while sessions live. */
#pragma once

#include "daemon/core/broker_state.h"

/* Puts every session under what the policy in force says of it. */
void configure_regroup(struct broker *broker);

void configure_broker(struct step *step, const struct broker_settings *settings);
