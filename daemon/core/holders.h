/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions that hold the most of what a limit counts. */
#pragma once

#include "daemon/core/broker_state.h"

/* Writes the largest holders into a refusal, by name if the viewer may see them. `holders` keeps them for the next
 * request that exceeds the same limit. */
void holders_fill(const struct broker *broker, struct holders *holders, const struct identity *viewer,
                  const struct account *under, enum ledger_limit limit, struct refusal *refusal);
