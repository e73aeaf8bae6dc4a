/* SPDX-License-Identifier: Apache-2.0 */
/* Watches a process by its pidfd. */
#pragma once

#include <uv.h>

struct process_watch;

/* Calls this once, when the process has ended. Takes the descriptor. NULL: out of memory, or it can't be watched. */
struct process_watch *process_watch_new(uv_loop_t *loop, int pidfd, void (*ended)(void *argument), void *argument);

/* Ends the watch and closes the descriptor. Takes NULL; returns NULL. */
struct process_watch *process_watch_end(struct process_watch *watch);
