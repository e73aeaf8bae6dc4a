/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the misuse mode: fills dead memory, makes guard pages, and tells AddressSanitizer and valgrind which memory may
 * be used. The memory must be mapped. Call these functions only if the client is in that mode.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { MISUSE_FILL = 0xDD };

/* Whether MEMBROKER_MISUSE asks for the mode. */
bool misuse_wanted(void);

/* The program may use the bytes from now on. Unless `defined`, it must not rely on what they hold. */
void misuse_alive(const void *address, size_t bytes, bool defined);

/* The program must not touch them any more. */
void misuse_dead(const void *address, size_t bytes);

/* Fills them, then does the same. */
void misuse_poison(void *address, size_t bytes);

/* The range is about to be unmapped, or belongs to the library again. */
void misuse_forget(const void *address, size_t bytes);

/* Makes whole pages inaccessible. */
void misuse_guard(void *address, size_t bytes);
