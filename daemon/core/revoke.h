/* SPDX-License-Identifier: Apache-2.0 */
/* Taking leases of lower priority for a request that has waited long enough. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/* Marks leases of lower priority for a request that has waited long enough. */
void revoke_for(struct step *step, struct waiting *waiting, const struct denial *denial);

/* After a pass over all that wait: spares what none of them needs. */
void revoke_review(struct step *step);

/* Takes the leases that are due, in a tick and after a review; tells the clients of leases that are spared. */
void revoke_work(struct step *step, bool is_tick);
uint64_t revoke_next_wakeup(const struct broker *broker);
