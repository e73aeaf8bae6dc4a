/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's slots in its control page: which are taken, and each one's generation. A slot is
 * reused as late as possible (first freed, first reused), so that what it says of its last lease stays
 * readable for long.
 */
#pragma once

#include <stdint.h>

struct slot {
    uint64_t generation; /* odd while taken */
    uint32_t next_free;
};

struct slot_table {
    struct slot *slots;
    uint32_t count, capacity, capacity_max;
    uint32_t first_free, last_free; /* UINT32_MAX: none */
    uint64_t generation;            /* even: at which a slot without a lease so far begins */
};

enum { SLOT_E_FULL = 1 };

void slot_table_init(struct slot_table *table, uint32_t capacity_max);
void slot_table_deinit(struct slot_table *table);

/* Takes a slot. Returns 0, SLOT_E_FULL when capacity_max slots are taken, or -ENOMEM. */
int slot_take(struct slot_table *table, uint32_t *ret_slot, uint64_t *ret_generation);

/*
 * Sets a slot of a table that nothing was taken from yet to a generation of before: odd, it is taken. 0, -EINVAL: there
 * is no such slot, or -ENOMEM. After the last one slot_table_relist() finds out what is free.
 */
int slot_restore(struct slot_table *table, uint32_t slot, uint64_t generation);
void slot_table_relist(struct slot_table *table);

/* Gives a slot back and returns its generation from now on. */
uint64_t slot_give(struct slot_table *table, uint32_t slot);
