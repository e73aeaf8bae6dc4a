/* SPDX-License-Identifier: Apache-2.0 */
/* From the address of a large block to its buffer. Any thread. */
#pragma once

#include <membroker.h>
#include <stdbool.h>
#include <stdint.h>

struct table_entry {
    const void *data; /* NULL: the slot is empty */
    mb_buffer *buffer;
    uint64_t epoch;
};

/* False: out of memory. */
bool table_add(const struct table_entry *entry);

/* Removes the entry of that address. False: there is none. */
bool table_take(const void *data, struct table_entry *ret);

/* Whether there is one; it stays. */
bool table_find(const void *data, struct table_entry *ret);

/* Around a fork, so that no other thread holds the lock in the child. */
void table_lock_for_fork(void);
void table_unlock(void);
