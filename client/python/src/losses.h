/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Python is told of lost leases. The library's guard puts zeros under the addresses; so that nobody computes with
 * them unknowingly, LeaseLost is raised in the main thread at its next safe point, and in the thread that touched them.
 */
#pragma once

#include <membroker.h>
#include <stdbool.h>

/* The on_event callback of every client. Runs without the interpreter's lock. */
void losses_on_event(const mb_event *event, void *user_data);

/*
 * Around mb_connect(), which must find its own handler of SIGBUS in place. After the first one succeeded, a handler of
 * ours is before the library's: it asks for the exception before the thread that touched lost memory goes on. Threads
 * that connect at the same time wait for each other.
 */
void losses_before_connecting(void);
void losses_after_connecting(bool is_connected);

/* Puts the handler before one that the program has installed since. Any thread; does not wait. */
void losses_hook(void);

/* In the main thread, at the import. The function says whether a program could notice a loss at all. */
void losses_init(bool (*is_any_in_use)(void));

/* From here on nothing more is raised: the interpreter ends. */
void losses_stop(void);

/* In a forked child: nothing is owed to it. */
void losses_forget(void);
