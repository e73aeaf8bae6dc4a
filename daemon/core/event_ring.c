/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order is an array of places with twice as many as there are records: an event is appended, and leaves an empty
 * place. When the array is full, it is packed. Owners are in a heap, the one with the most events first.
 */
#include "daemon/core/event_ring.h"

#include <stdlib.h>

#include "daemon/core/event_owners.h"
#include "proto/base/size.h"

enum { NONE = UINT32_MAX, RING_BYTES = 4096 /* of the ring itself */ };

struct place {
    uint64_t number;
    uint32_t slot; /* NONE: empty */
};

struct slot {
    uint32_t next; /* of its owner; NONE: it is the newest */
    uint32_t place;
};

struct event_ring {
    struct event_record *records;
    uint32_t room, count;
    uint64_t last;       /* number */
    uint32_t begin, end; /* of the order */
    struct place *order; /* 2 * room */
    struct slot *slots;
    uint32_t *free; /* `room - count` slots, as a stack */
    struct event_owners *owners;
};

uint32_t event_ring_room(uint64_t bytes)
{
    const uint64_t each =
        sizeof(struct event_record) + 2 * sizeof(struct place) + sizeof(struct slot) + sizeof(uint32_t);
    uint64_t left = size_subtract_floored(bytes, RING_BYTES);
    return (uint32_t)size_min(left / (each + EVENT_OWNER_BYTES), NONE / 2 - 1);
}

/* ---- removing ---- */

static void empty_place(struct event_ring *ring, uint32_t place)
{
    ring->order[place].slot = NONE;
    while (ring->begin < ring->end && ring->order[ring->begin].slot == NONE) {
        ring->begin++;
    }
}

/* The oldest one of whoever has the most; of those who have as many, of the owner who adds one. */
static void remove_one(struct event_ring *ring, uint32_t adds)
{
    struct event_owner *owner = event_owners_largest(ring->owners, adds);
    uint32_t slot = owner->first;
    owner->first = ring->slots[slot].next;
    event_owners_count_down(ring->owners, owner);
    atomic_store_explicit(&ring->records[slot].number, 0, memory_order_release);
    empty_place(ring, ring->slots[slot].place);
    ring->count--;
    ring->free[ring->room - ring->count - 1] = slot;
}

/* ---- adding ---- */

static void pack(struct event_ring *ring)
{
    uint32_t to = 0;
    for (uint32_t from = ring->begin; from < ring->end; from++) {
        if (ring->order[from].slot != NONE) {
            ring->slots[ring->order[from].slot].place = to;
            ring->order[to++] = ring->order[from];
        }
    }
    ring->begin = 0;
    ring->end = to;
}

/* The record is there; the index is to have it. */
static void enter(struct event_ring *ring, uint32_t slot, uint64_t number)
{
    struct event_owner *owner = event_owners_count_up(ring->owners, ring->records[slot].owner);
    if (ring->end == 2 * ring->room) {
        pack(ring);
    }
    ring->slots[slot] = (struct slot){NONE, ring->end};
    ring->order[ring->end++] = (struct place){number, slot};
    if (owner->count == 1) {
        owner->first = slot;
    } else {
        ring->slots[owner->last].next = slot;
    }
    owner->last = slot;
    ring->last = number;
    ring->count++;
}

struct event_mark event_ring_add(struct event_ring *ring, uint32_t owner, const struct event_entry *event)
{
    uint64_t number = ring->last + 1;
    if (ring->count == ring->room) {
        remove_one(ring, owner);
    }
    uint32_t slot = ring->free[ring->room - ring->count - 1];
    struct event_record *record = &ring->records[slot];
    record->owner = owner;
    record->event = *event;
    record->event.event = number;
    atomic_store_explicit(&record->number, number, memory_order_release);
    enter(ring, slot, number);
    return (struct event_mark){number, slot};
}

struct event_entry *event_ring_at(struct event_ring *ring, struct event_mark mark)
{
    struct event_record *record = mark.number ? &ring->records[mark.slot] : NULL;
    return record && record->number == mark.number ? &record->event : NULL;
}

/* ---- life ---- */

static int compare_places(const void *a, const void *b)
{
    uint64_t one = ((const struct place *)a)->number, other = ((const struct place *)b)->number;
    return (one > other) - (one < other);
}

/* The records of before, in their order; the rest is free. */
static void adopt(struct event_ring *ring)
{
    uint32_t found = 0, unused = 0;
    for (uint32_t slot = 0; slot < ring->room; slot++) {
        uint64_t number = atomic_load_explicit(&ring->records[slot].number, memory_order_acquire);
        if (number) {
            ring->order[found++] = (struct place){number, slot};
        } else {
            ring->free[unused++] = slot;
        }
    }
    qsort(ring->order, found, sizeof *ring->order, compare_places);
    for (uint32_t i = 0; i < found; i++) {
        enter(ring, ring->order[i].slot, ring->order[i].number);
    }
}

struct event_ring *event_ring_new(struct event_record *records, uint32_t room)
{
    struct event_ring *ring = room ? calloc(1, sizeof *ring) : NULL;
    if (!ring) {
        return NULL;
    }
    ring->records = records;
    ring->room = room;
    ring->order = calloc(2 * (size_t)room, sizeof *ring->order);
    ring->slots = calloc(room, sizeof *ring->slots);
    ring->free = calloc(room, sizeof *ring->free);
    ring->owners = event_owners_new(room);
    if (!ring->order || !ring->slots || !ring->free || !ring->owners) {
        return event_ring_free(ring);
    }
    adopt(ring);
    return ring;
}

struct event_ring *event_ring_free(struct event_ring *ring)
{
    if (ring) {
        event_owners_free(ring->owners);
        free(ring->order);
        free(ring->slots);
        free(ring->free);
        free(ring);
    }
    return NULL;
}

/* ---- reading ---- */

uint32_t event_ring_find(const struct event_ring *ring, uint64_t after)
{
    uint32_t low = ring->begin, high = ring->end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->order[middle].number <= after) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool event_ring_has(const struct event_ring *ring, uint32_t place)
{
    return place < ring->end;
}

const struct event_entry *event_ring_look(const struct event_ring *ring, uint32_t place)
{
    uint32_t slot = ring->order[place].slot;
    return slot == NONE ? NULL : &ring->records[slot].event;
}

uint64_t event_ring_number(const struct event_ring *ring, uint32_t place)
{
    return ring->order[place].number;
}

uint32_t event_ring_owner(const struct event_ring *ring, uint32_t place)
{
    return ring->records[ring->order[place].slot].owner;
}

void event_ring_continue(struct event_ring *ring, uint64_t number)
{
    ring->last = size_max(ring->last, number);
}

uint32_t event_ring_count(const struct event_ring *ring)
{
    return ring->count;
}

uint32_t event_ring_count_of(const struct event_ring *ring, uint32_t owner)
{
    const struct event_owner *found = event_owners_find(ring->owners, owner);
    return found ? found->count : 0;
}

/* ---- checking ---- */

/* Each place in its order, and as its record says. */
static bool is_order_sound(const struct event_ring *ring)
{
    uint64_t before = 0;
    uint32_t count = 0;
    bool is_sound = true;
    for (uint32_t place = ring->begin; place < ring->end; place++) {
        uint32_t slot = ring->order[place].slot;
        is_sound &= ring->order[place].number > before;
        before = ring->order[place].number;
        if (slot != NONE) {
            is_sound &= ring->slots[slot].place == place;
            is_sound &= ring->records[slot].number == before;
            count++;
        }
    }
    is_sound &= before <= ring->last;
    is_sound &= count == ring->count;
    return is_sound;
}

/* Each owner's events are its own, the oldest first. */
static bool is_owner_sound(const struct event_ring *ring, const struct event_owner *owner)
{
    uint32_t slot = owner->first;
    uint64_t before = 0;
    bool is_sound = true;
    for (uint32_t i = 0; i < owner->count; i++) {
        is_sound &= ring->records[slot].owner == owner->id;
        is_sound &= ring->records[slot].number > before;
        before = ring->records[slot].number;
        slot = ring->slots[slot].next;
    }
    is_sound &= slot == NONE;
    return is_sound;
}

const char *event_ring_check(const struct event_ring *ring)
{
    const struct event_owner *owner;
    uint64_t count = 0;
    bool is_sound = is_order_sound(ring);
    for (uint32_t i = 0; (owner = event_owners_at(ring->owners, i)); i++) {
        is_sound &= is_owner_sound(ring, owner);
        count += owner->count;
    }
    is_sound &= event_owners_are_sound(ring->owners);
    is_sound &= count == ring->count;
    return is_sound ? NULL : "the index of the events is not that of the records";
}
