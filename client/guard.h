/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mappings of leases in this process, for the handler of SIGBUS, for fork(), and for who looks for an address. Only
 * the handler reads the table without a lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

struct guard_entry;

/* A lock that is free in a forked child: a thread of the parent that held it is waited for. */
void guard_lock(void);
void guard_unlock(void);

/*
 * Between these two a thread makes and notes mappings, or forgets and removes them. A fork() waits for it, and then
 * keeps what is noted from the child, unless the client shares it.
 */
void guard_begin(void);
void guard_end(void);

/* Notes a mapping until guard_remove() or guard_leave(). NULL: no memory for it. Any thread. */
struct guard_entry *guard_add(void *address, uint64_t bytes, mb_lease *lease);

/* Comes before the mapping is removed. Afterwards no handler touches the lease or the range. NULL is allowed. */
void guard_remove(struct guard_entry *entry);

/* Another mapping of the lease has taken the place of a noted one. `entry` may be NULL. */
void guard_note_replaced(struct guard_entry *entry, void *address, uint64_t bytes, const mb_lease *lease);

/*
 * As guard_remove(), for a range that the program keeps; comes after other memory took the mapping's place. For a while
 * the range is remembered: a thread that touched the lost lease before may not have come to the handler yet.
 */
void guard_leave(struct guard_entry *entry);

/* ---- for the handler of SIGBUS: no lock, and only what a signal's handler may call ---- */

/* The entry of the lease whose mapping has this address, or NULL. Both stay until guard_release(). */
struct guard_entry *guard_hold(uintptr_t address, mb_lease **ret_lease);
void guard_release(struct guard_entry *entry);

/* Puts private zero pages over the range, once. False: that failed, or can't be why the access failed. */
bool guard_cover(struct guard_entry *entry);

/* Whether the access may have failed because the range was a lost lease's, and now succeeds. */
bool guard_was_left(uintptr_t address);
