/* SPDX-License-Identifier: Apache-2.0 */
/* An array that grows by doubling, with a first-in-first-out list of free slots threaded through it. */
#include "daemon/core/slots.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 8 };
#define NO_SLOT UINT32_MAX

void slot_table_init(struct slot_table *table, uint32_t capacity_max)
{
    *table = (struct slot_table){.capacity_max = capacity_max, .first_free = NO_SLOT, .last_free = NO_SLOT};
}

void slot_table_deinit(struct slot_table *table)
{
    free(table->slots);
    table->slots = NULL;
}

static int grow(struct slot_table *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY;
    if (capacity > table->capacity_max) {
        capacity = table->capacity_max;
    }
    struct slot *slots = reallocarray(table->slots, capacity, sizeof *slots);
    if (!slots) {
        return -ENOMEM;
    }
    table->slots = slots;
    table->capacity = capacity;
    return 0;
}

static uint32_t take_free(struct slot_table *table)
{
    uint32_t slot = table->first_free;
    table->first_free = table->slots[slot].next_free;
    if (table->first_free == NO_SLOT) {
        table->last_free = NO_SLOT;
    }
    return slot;
}

static void append_free(struct slot_table *table, uint32_t slot)
{
    table->slots[slot].next_free = NO_SLOT;
    if (table->last_free == NO_SLOT) {
        table->first_free = slot;
    } else {
        table->slots[table->last_free].next_free = slot;
    }
    table->last_free = slot;
}

int slot_restore(struct slot_table *table, uint32_t slot, uint64_t generation)
{
    if (slot >= table->capacity_max) {
        return -EINVAL;
    }
    while (table->count <= slot) {
        if (table->count == table->capacity && grow(table) < 0) {
            return -ENOMEM;
        }
        table->slots[table->count++] = (struct slot){.generation = 0, .next_free = NO_SLOT};
    }
    table->slots[slot].generation = generation;
    return 0;
}

void slot_table_relist(struct slot_table *table)
{
    table->first_free = table->last_free = NO_SLOT;
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->slots[i].generation % 2 == 0) {
            append_free(table, i);
        }
    }
}

int slot_take(struct slot_table *table, uint32_t *ret_slot, uint64_t *ret_generation)
{
    uint32_t slot;
    if (table->first_free != NO_SLOT && table->count == table->capacity) {
        slot = take_free(table);
    } else if (table->count == table->capacity_max) {
        return SLOT_E_FULL;
    } else {
        if (table->count == table->capacity && grow(table) < 0) {
            return -ENOMEM;
        }
        slot = table->count++;
        table->slots[slot] = (struct slot){.generation = table->generation};
    }
    table->slots[slot].next_free = NO_SLOT;
    *ret_slot = slot;
    *ret_generation = ++table->slots[slot].generation;
    return 0;
}

uint64_t slot_give(struct slot_table *table, uint32_t slot)
{
    assert(slot < table->count && table->slots[slot].generation % 2 == 1);
    append_free(table, slot);
    return ++table->slots[slot].generation;
}
