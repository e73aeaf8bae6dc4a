/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The misuse mode's means: filling dead memory, guard pages, and what AddressSanitizer and valgrind are told. All of it
 * works on memory that is mapped; callers ask for it only where the client is in that mode.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { MISUSE_FILL = 0xDD };

/* Whether MEMBROKER_MISUSE asks for the mode. */
bool misuse_wanted(void);

/* The program may use `bytes` at `address` from now on; they hold nothing that it may rely on unless `defined`. */
void misuse_alive(const void *address, size_t bytes, bool defined);

/* The program must not touch them any more. */
void misuse_dead(const void *address, size_t bytes);

/* Fills them, then the same. */
void misuse_poison(void *address, size_t bytes);

/* The range is about to be unmapped, or is the library's again: nothing is known of it. */
void misuse_forget(const void *address, size_t bytes);

/* Makes whole pages inaccessible. */
void misuse_guard(void *address, size_t bytes);
