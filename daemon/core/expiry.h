/* SPDX-License-Identifier: Apache-2.0 */
/* Leases that were not renewed in time, and sessions that did not come back. */
#pragma once

#include "daemon/core/broker_state.h"

enum { EXPIRY_LEASES_PER_STEP = 128, EXPIRY_SESSIONS_PER_STEP = 16 };

/* Does what is due: expires leases and sessions, warns, gives up on answers to trims. */
void expiry_work(struct step *step);
