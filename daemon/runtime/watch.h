/* SPDX-License-Identifier: Apache-2.0 */
/* A slow look at every living segment: one whose size was changed behind the daemon's back loses its lease. */
#pragma once

#include "daemon/runtime/segments.h"
#include "daemon/runtime/server.h"

void watch_start(struct server *server);

/* A session renews its leases: some of its segments are looked at, others the next time. */
void watch_renewed(struct server *server, uint64_t session);

/* The last look, when a segment has come back: what was changed is logged. */
void watch_released(struct segment_file *file);
