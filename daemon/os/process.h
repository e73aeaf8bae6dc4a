/* SPDX-License-Identifier: Apache-2.0 */
/* Processes beyond a connection's end: whether one that was known before a restart is still the same. */
#pragma once

#include <stdint.h>

/* When the process started, in clock ticks since boot; 0: there is no such process. With its pid it names it for good.
 */
uint64_t process_started_at(int32_t pid);

/* A pidfd of the process if it is still the one that started then; -ESRCH: it has ended. Other errors: who knows. */
int process_open(int32_t pid, uint64_t started_at);
