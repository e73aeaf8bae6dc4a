/* SPDX-License-Identifier: Apache-2.0 */
/* Evicting cached blocks for a request that does not fit. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/*
 * Evicts what the request needs of the caches that nobody has a view of, the longest unused first; nothing if all of
 * them would not do. True: so much comes free that it will fit then; a part of that may be left for later steps.
 */
bool evict_for(struct step *step, struct account *account, uint64_t bytes, const struct denial *denial);
