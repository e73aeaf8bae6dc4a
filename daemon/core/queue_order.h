/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which waiting requests are served, and what they claim meanwhile. */
#pragma once

#include "daemon/core/broker_state.h"

/* A request's priority, with what it gained by waiting; one above the highest: it is overdue. */
uint32_t queue_order_level(const struct broker *broker, const struct waiting *waiting, uint64_t now);

/*
 * Walks the queue in the order in which it will be served; NULL ends the walk. Claims change the order, so a walk that
 * only looks must claim for each request what it claimed at the last pass. queue_order_end() takes all claims back.
 */
struct waiting *queue_order_first(struct broker *broker, uint64_t now);
struct waiting *queue_order_next(struct broker *broker, uint64_t now);
void queue_order_claim(struct waiting *waiting);
void queue_order_claim_all(struct broker *broker);
void queue_order_end(struct broker *broker);
