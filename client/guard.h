/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: a program that touches the memory of a lost lease finds private zero pages, instead of being killed by
 * SIGBUS. Without the guard it is killed, but says why on standard error. The process has one handler; it passes any
 * other SIGBUS to the handler that was installed before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

struct guard_entry;

/*
 * Installs the handler unless it is there. If the client does not want the guard and the program has a handler, that
 * one stays. Returns 0 or negative errno with the sentence set. Any thread.
 */
int guard_install(bool guards);

/*
 * Between these two a thread makes and notes mappings, or forgets and removes them. A fork() waits for it, and then
 * keeps what is noted from the child, unless the client shares it.
 */
void guard_begin(void);
void guard_end(void);

/* Notes a mapping until guard_remove(), which comes before it is unmapped. NULL: no memory for it. Any thread. */
struct guard_entry *guard_add(void *address, uint64_t bytes, mb_lease *lease);

/* NULL is allowed. */
void guard_remove(struct guard_entry *entry);
