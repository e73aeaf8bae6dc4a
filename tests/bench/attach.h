/* SPDX-License-Identifier: Apache-2.0 */
/* What every contestant of attaching does: blocks of three sizes are mapped, read and unmapped. */
#pragma once

#include <stddef.h>

struct attach_size {
    const char *name;
    size_t bytes;
};

enum { ATTACH_SIZES = 3 };

extern const struct attach_size attach_sizes[ATTACH_SIZES];

/* Fills the memory so that attach_read() knows it. */
void attach_fill(char *memory, size_t bytes);

/* Reads a byte of each page; ends the program if they are not those of attach_fill(). */
void attach_read(const char *memory, size_t bytes);

/* Calls the verb a number of times that fits the size, and prints the median microseconds of a call as attach_SIZE. */
void attach_measure(const struct attach_size *size, void (*verb)(void *context), void *context);
