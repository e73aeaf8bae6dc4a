/* SPDX-License-Identifier: Apache-2.0 */
/* Other settings come into force while sessions live. */
#pragma once

#include "daemon/core/broker_state.h"

void configure_broker(struct step *step, const struct broker_settings *settings);
