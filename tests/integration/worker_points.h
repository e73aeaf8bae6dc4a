/* SPDX-License-Identifier: Apache-2.0 */
/* Points in the work of the daemon's worker processes at which a test has one killed or held: see daemon/os/fault.h. */
#pragma once

#include <stdbool.h>

/* Before the daemon is started. */
void worker_points_begin(void);

/* Expects that a worker has come to each point that was asked for, and is held at none. */
void worker_points_end(void);

/* The next worker that comes to the point dies of it. */
void worker_kill_at(const char *point);

/* The next worker that comes to the point waits there until it is let go. */
void worker_hold_at(const char *point);
bool worker_is_held_at(const char *point);
void worker_let_go_from(const char *point);
