/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults that follow from the host, from the environment, or from other settings. */
#pragma once

#include "daemon/config/draft.h"

/* The paths; a user without a home has no default. 0 or negative errno with the draft's error set. */
int defaults_take_paths(struct config_draft *draft);

/* The limits, once it is known how much the spill file system has free; and the queue. */
void defaults_take_limits(struct config_draft *draft, uint64_t spill_free_bytes);
