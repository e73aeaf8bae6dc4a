/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions and blocks that hold the most of what a limit counts. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/* Writes the largest holders into a refusal, all of them by name; none if it is not bytes that lack. `holders` keeps
 * them for the next request that exceeds the same limit. */
void holders_fill(const struct broker *broker, struct holders *holders, const struct denial *denial,
                  struct refusal *refusal);
