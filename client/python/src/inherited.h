/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a forked child: the parent's memory, shared when the child began. It is made read-only, and a page that the child
 * writes to is copied first, as fork() does with ordinary memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Called in the child of a fork, before anything else runs there. */
void inherited_begin(void);

/* Puts the handler of SIGSEGV before the one that is there, which gets all other faults. Does nothing if it is first.
 */
void inherited_watch(void);

/* Whether the parent owns the address. False in a process that inherited nothing. */
bool inherited_has(const void *address);

/* The parent's lease has ended: puts zeros there. False: the address is not the parent's. For a signal's handler. */
bool inherited_cover(uintptr_t address);
