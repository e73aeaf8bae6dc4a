/* SPDX-License-Identifier: Apache-2.0 */
/* Whether control groups are frozen: the freezer of cgroup v1, cgroup.freeze of v2, or both. */
#pragma once

#include <stdbool.h>

/*
 * Whether the process whose /proc/PID/cgroup this is, is in a group that is frozen, itself or by one above it. What
 * can't be read is not frozen. Any thread; no client can make it wait.
 */
bool freezer_holds(const char *text);
