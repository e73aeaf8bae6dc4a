/* SPDX-License-Identifier: Apache-2.0 */
/* Leases that are marked: they will be taken for a request of higher priority, unless they are spared. */
#pragma once

#include "daemon/core/broker_state.h"

/* How long a marked lease is left to its client, in nanoseconds. */
uint64_t victim_grace(const struct broker *broker);

/* Marks a lease, of which the request gains so many bytes. It can't be marked twice. */
void victim_mark(struct step *step, struct lease *lease, struct waiting *waiting, uint64_t gain);

/* The lease is not needed any more: it may be marked again later. Its client is told, if it was told before. */
void victim_spare(struct broker *broker, struct lease *lease);

/* Spares all leases that are marked for a request. */
void victim_spare_all(struct broker *broker, struct waiting *waiting);

/* The client was told that its lease is spared. */
void victim_told(struct broker *broker, struct lease *lease);

/* The lease ends: it is neither taken nor spared. */
void victim_forget(struct broker *broker, struct lease *lease);
