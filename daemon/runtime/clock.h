/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks of the daemon, in nanoseconds. */
#pragma once

#include <stdint.h>

struct server;

/* Monotonic time. */
uint64_t clock_monotonic(void);

/* Service time: monotonic time less the time that the daemon was away. It stands still while leases are checked. */
uint64_t clock_now(const struct server *server);
