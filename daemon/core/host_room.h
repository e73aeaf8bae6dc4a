/* SPDX-License-Identifier: Apache-2.0 */
/* The RAM that the host has available, as it last said, less what was granted since. */
#pragma once

#include "daemon/core/broker_state.h"

uint64_t host_room_bytes(const struct broker *broker);

/* True: no RAM is granted now, because the machine is short of it. */
bool host_room_is_paused(const struct broker *broker);

/* The host's figures, which take the place of everything that was counted before. */
void host_room_update(struct broker *broker, const struct input_host *host);

/* Counts a segment of RAM that is about to be made, or one that never was or is free again. */
void host_room_count(struct broker *broker, struct segment *segment);
void host_room_uncount(struct broker *broker, const struct segment *segment);
