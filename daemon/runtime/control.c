/* SPDX-License-Identifier: Apache-2.0 */
/* Growing and writing a session's control pages. */
#include "daemon/runtime/control.h"

#include <assert.h>

static uint32_t first_slot_of(const struct control *control, unsigned place)
{
    return control->pages[place]->page->first_slot;
}

uint32_t control_slots(const struct control *control)
{
    unsigned last = control->count - 1;
    return control->count ? first_slot_of(control, last) + control->pages[last]->slots : 0;
}

/* A page that another session of the user had begins where this session's slots end. */
static int add(struct control *control, uint32_t uid, uint64_t bytes, const struct control_bounds *bounds)
{
    struct control_memory *memory;
    uint32_t first_slot = control_slots(control);
    int result = control_store_take(control->store, uid, control->count, bytes, bounds, &memory);
    if (result == 0) {
        memory->page->first_slot = first_slot;
        control->pages[control->count++] = memory;
    }
    return result;
}

int control_open(struct control *control, struct control_store *store, uint32_t uid, uint64_t bytes,
                 const struct control_bounds *bounds)
{
    *control = (struct control){.store = store};
    return add(control, uid, bytes, bounds);
}

int control_grow(struct control *control, const struct control_bounds *bounds)
{
    assert(control->count > 0);
    if (control->count == CONTROL_PAGES_MAX || control_slots(control) >= CONTROL_SLOTS_MAX) {
        return CONTROL_E_MOST;
    }
    return add(control, control->pages[0]->owner->uid, 0, bounds);
}

void control_close(struct control *control)
{
    while (control->count > 0) {
        control_store_give(control->store, control->pages[--control->count]);
    }
}

uint64_t control_generation(const struct control *control)
{
    uint64_t highest = 0;
    for (unsigned i = 0; i < control->count; i++) {
        uint64_t generation = control->pages[i]->generation;
        highest = generation > highest ? generation : highest;
    }
    return highest + highest % 2;
}

static struct control_memory *page_of(const struct control *control, uint32_t slot)
{
    for (unsigned i = 0; i < control->count; i++) {
        uint32_t first = first_slot_of(control, i);
        if (slot >= first && slot - first < control->pages[i]->slots) {
            return control->pages[i];
        }
    }
    return NULL;
}

struct control_slot *control_slot(const struct control *control, uint32_t slot)
{
    const struct control_memory *memory = page_of(control, slot);
    return memory ? &memory->page->slot[slot - memory->page->first_slot] : NULL;
}

static void write_slot(struct control *control, uint32_t number, uint64_t generation, const uint32_t *end_reason)
{
    struct control_memory *memory = page_of(control, number);
    assert(memory);
    struct control_slot *slot = &memory->page->slot[number - memory->page->first_slot];
    if (end_reason) {
        atomic_store_explicit(&slot->end_reason, *end_reason, memory_order_relaxed);
    }
    atomic_store_explicit(&slot->generation, generation, memory_order_release);
    memory->generation = generation > memory->generation ? generation : memory->generation;
}

void control_restore(struct control *control, uint32_t slot, uint64_t generation, uint32_t end_reason)
{
    write_slot(control, slot, generation, &end_reason);
}

void control_write(struct control *control, const struct effect_slot *slot)
{
    const uint32_t reason = (uint32_t)slot->reason;
    write_slot(control, slot->slot, slot->generation, slot->reason != END_NONE ? &reason : NULL);
}

void control_write_pressure(struct control *control, enum pressure level)
{
    atomic_store_explicit(&control->pages[0]->page->pressure, (uint32_t)level, memory_order_relaxed);
}
