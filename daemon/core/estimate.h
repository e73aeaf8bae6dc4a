/* SPDX-License-Identifier: Apache-2.0 */
/* How much a session would gain if others lost some of what they hold. */
#pragma once

#include "daemon/core/broker_state.h"

/* Begins an estimate: forgets what earlier ones took from the reserves. */
void estimate_begin(struct broker *broker);

/*
 * What the session gains if `bytes` of the share come free, after those of earlier calls, and the limit of `short_of`
 * is what it lacks. Bytes that would only fill up a reserve of others are no gain.
 */
uint64_t estimate_gain(const struct broker *broker, const struct session *session, const struct account *short_of,
                       const struct share *share, enum location location, uint64_t bytes);
