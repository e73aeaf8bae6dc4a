/* SPDX-License-Identifier: Apache-2.0 */
/* The last refusals of sessions that are over. */
#pragma once

#include "daemon/core/broker_state.h"

void refusal_log_add(struct broker *broker, const struct session *session);

/* The newest for 0, the one before it for 1, up to REFUSALS_REMEMBERED; NULL: there are not so many. */
const struct buried_refusal *refusal_log_at(const struct broker *broker, size_t back);
