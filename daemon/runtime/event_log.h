/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says of reservations, blocks and leases: how they end, and with --verbose each grant and each refusal.
 * The history gets all of it.
 */
#pragma once

#include "daemon/core/effect.h"

struct history;

void event_log_reservations(struct history *history, const struct effect_reservations *reservations);

/* A block was published, or has ended. */
void event_log_block(struct history *history, const struct effect_block *block);

void event_log_ended(const struct effect_ended *ended);

/* An answer or event to a peer: nothing is logged unless it is a grant or a refusal. */
void event_log_reply(const struct effect_reply *reply);
