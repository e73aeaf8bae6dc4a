/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: touching the memory of a lost lease reads and writes private zero pages instead of killing the process
 * with SIGBUS. In a client without it the process is killed, but says on standard error why. One handler for the
 * process; a SIGBUS that is not about a lost lease goes to the handler that was there before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

struct guard_entry;

/*
 * Installs the handler unless it is there. If the client does not want to be guarded, a handler of the program's own is
 * left alone: it knows what to do. Returns 0 or negative errno with the sentence set. Any thread.
 */
int guard_install(bool guards);

/* Notes a mapping until guard_remove(), which comes before it is unmapped. NULL: no memory for it. Any thread. */
struct guard_entry *guard_add(void *address, uint64_t bytes, mb_lease *lease);

/* NULL is allowed. */
void guard_remove(struct guard_entry *entry);
