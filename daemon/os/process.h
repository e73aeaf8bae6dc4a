/* SPDX-License-Identifier: Apache-2.0 */
/* Processes beyond a connection's end: whether one that was known before a restart is still the same; their control
 * groups. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When the process started, in clock ticks since boot; 0: there is no such process. With its pid it names it for good.
 */
uint64_t process_started_at(int32_t pid);

/*
 * The text of /proc/PID/cgroup into `ret`, as a string; `pidfd` is of the process that is meant. 0; -ESRCH: it has
 * ended, and the text may be another process's; -E2BIG: there is more of it; or negative errno (-ENAMETOOLONG: the
 * kernel has no room for a path). No other process can make this wait: it takes no lock of the process's memory.
 */
int process_read_control_groups(int32_t pid, int pidfd, char *ret, size_t size);

/* The text of /proc/PID/cgroup of whatever process has this number now. 0, or negative errno. */
int process_read_groups(int32_t pid, char *ret, size_t size);

/*
 * Its state, as /proc/PID/status has it (R, S, D, T, Z ...), and its real user. 0, or negative errno.
 */
int process_read_state(int32_t pid, char *ret_state, uint32_t *ret_uid);

/*
 * Calls `look` with the number of each process and the text of its /proc/PID/cgroup, in the order of their numbers;
 * `text` has room for it. Processes that end meanwhile, or whose text is longer, are left out. 0, or negative errno:
 * not all could be read. Takes as long as there are processes; any thread.
 */
int process_each(char *text, size_t size, void (*look)(void *argument, int32_t pid, const char *text), void *argument);

/* A pidfd of the process if it is still the one that started then; -ESRCH: it has ended. Other errors: who knows. */
int process_open(int32_t pid, uint64_t started_at);

/* Whether the process of a pidfd has ended. */
bool process_has_ended(int pidfd);
