/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that is killed at each of its fault points in turn, under a manager that starts it again. */
#pragma once

#include "tests/integration/manager.h"

/*
 * Starts the daemon that has fault points with a fault at the first of them, then at the second, until it outlives
 * `work`, which connects, works and disconnects, and leaves no byte in use. Expects more than `points` of them, and
 * that nothing that a daemon had begun to do is taken for tampering.
 */
void sweep_faults(struct manager *manager, struct fixture *fixture, const char *settings, void (*work)(void),
                  unsigned points);

/* Connects also while the daemon is away. */
mb_client *sweep_connect(const struct fixture *fixture, void (*on_event)(const mb_event *event, void *user_data));

/* False also while the daemon is away. */
bool sweep_uses(const struct fixture *fixture, uint64_t bytes);
