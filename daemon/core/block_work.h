/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a step has to do for blocks. */
#pragma once

#include "daemon/core/broker_state.h"

/* Ends what is due and what was evicted, and serves those who wait for a name; as much of it as one step may. */
void block_work(struct step *step, bool is_tick);

/* When that is due without an input; 0: now; UINT64_MAX: nothing is. */
uint64_t block_next_wakeup(const struct broker *broker);
