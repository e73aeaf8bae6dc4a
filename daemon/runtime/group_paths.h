/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of a reservation's control groups, for a thread that looks at processes: each ends with NUL, and an empty
 * one ends them. */
#pragma once

#include "daemon/core/broker.h"

/* A copy for free(); NULL: memory is short. */
char *group_paths_copy(const struct reservation_groups *groups);

/* Whether a process is in one of them, or below. `groups` are its own, as control_group.h has them. */
bool group_paths_have(const char *paths, const char *groups);
