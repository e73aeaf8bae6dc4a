/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: touching the memory of a lost lease reads and writes private zero pages instead of killing the process
 * with SIGBUS. One handler for the process; a SIGBUS that is not about a lost lease goes to the handler that was
 * there before.
 */
#pragma once

#include <stdint.h>

#include "membroker.h"

/* Installs the handler, once. Returns 0 or negative errno with the sentence set. Any thread. */
int guard_install(void);

/* Guards a mapping until guard_remove(); both before it is unmapped. Returns 0 or -ENOMEM. Any thread. */
int guard_add(void *address, uint64_t bytes, mb_lease *lease);

/* Does nothing for an address that is not guarded. */
void guard_remove(const void *address);
