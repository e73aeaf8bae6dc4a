/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that wait ahead of another, and leave too little for it. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/*
 * Writes those that claim the most of what lacks into a refusal, all of them by name. Only while the queue is walked,
 * when they have claimed.
 */
void ahead_fill(const struct broker *broker, const struct denial *denial, struct refusal *refusal);
