/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/event_owners.h"

#include <stdlib.h>

enum { NONE = UINT32_MAX, KEYS = 256 };

struct event_owners {
    struct event_owner *all;
    uint32_t *heap; /* indexes of owners */
    uint32_t count, free;
    uint32_t by_key[KEYS]; /* the first owner of each key */
};

static uint32_t *head_of(struct event_owners *owners, uint32_t id)
{
    return &owners->by_key[id % KEYS];
}

/* ---- life ---- */

struct event_owners *event_owners_new(uint32_t most)
{
    struct event_owners *owners = calloc(1, sizeof *owners);
    if (!owners) {
        return NULL;
    }
    owners->all = calloc(most, sizeof *owners->all);
    owners->heap = calloc(most, sizeof *owners->heap);
    if (!owners->all || !owners->heap) {
        event_owners_free(owners);
        return NULL;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        owners->by_key[i] = NONE;
    }
    for (uint32_t i = 0; i < most; i++) {
        owners->all[i].next = i + 1;
    }
    return owners;
}

void event_owners_free(struct event_owners *owners)
{
    if (owners) {
        free(owners->all);
        free(owners->heap);
        free(owners);
    }
}

/* ---- the heap ---- */

static struct event_owner *in_heap(const struct event_owners *owners, uint32_t place)
{
    return &owners->all[owners->heap[place]];
}

static void put(struct event_owners *owners, uint32_t place, uint32_t index)
{
    owners->heap[place] = index;
    owners->all[index].in_heap = place;
}

static void swap(struct event_owners *owners, uint32_t a, uint32_t b)
{
    uint32_t index = owners->heap[a];
    put(owners, a, owners->heap[b]);
    put(owners, b, index);
}

static void rise(struct event_owners *owners, uint32_t place)
{
    while (place > 0 && in_heap(owners, place)->count > in_heap(owners, (place - 1) / 2)->count) {
        swap(owners, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void sink(struct event_owners *owners, uint32_t place)
{
    for (;;) {
        uint32_t larger = 2 * place + 1;
        if (larger >= owners->count) {
            return;
        }
        if (larger + 1 < owners->count && in_heap(owners, larger + 1)->count > in_heap(owners, larger)->count) {
            larger++;
        }
        if (in_heap(owners, larger)->count <= in_heap(owners, place)->count) {
            return;
        }
        swap(owners, place, larger);
        place = larger;
    }
}

/* ---- owners ---- */

struct event_owner *event_owners_find(const struct event_owners *owners, uint32_t id)
{
    uint32_t index = owners->by_key[id % KEYS];
    while (index != NONE && owners->all[index].id != id) {
        index = owners->all[index].next;
    }
    return index == NONE ? NULL : &owners->all[index];
}

static struct event_owner *begin(struct event_owners *owners, uint32_t id)
{
    uint32_t index = owners->free, *head = head_of(owners, id);
    struct event_owner *owner = &owners->all[index];
    owners->free = owner->next;
    *owner = (struct event_owner){.id = id, .next = *head};
    *head = index;
    put(owners, owners->count++, index);
    return owner;
}

static void forget(struct event_owners *owners, struct event_owner *owner)
{
    uint32_t index = owners->heap[owner->in_heap], *link = head_of(owners, owner->id);
    while (*link != index) {
        link = &owners->all[*link].next;
    }
    *link = owner->next;
    owners->count--;
    owner->next = owners->free;
    owners->free = index;
}

struct event_owner *event_owners_count_up(struct event_owners *owners, uint32_t id)
{
    struct event_owner *owner = event_owners_find(owners, id);
    if (!owner) {
        owner = begin(owners, id);
    }
    owner->count++;
    rise(owners, owner->in_heap);
    return owner;
}

/* Nobody has more: so if no event is left, all others have one, and any of them may stand in any place. */
void event_owners_count_down(struct event_owners *owners, struct event_owner *largest)
{
    largest->count--;
    if (largest->count > 0) {
        sink(owners, largest->in_heap);
        return;
    }
    swap(owners, largest->in_heap, owners->count - 1);
    forget(owners, largest);
}

struct event_owner *event_owners_largest(struct event_owners *owners, uint32_t preferred)
{
    struct event_owner *first = in_heap(owners, 0), *own = event_owners_find(owners, preferred);
    return own && own->count == first->count ? own : first;
}

const struct event_owner *event_owners_at(const struct event_owners *owners, uint32_t index)
{
    return index < owners->count ? in_heap(owners, index) : NULL;
}

bool event_owners_are_sound(const struct event_owners *owners)
{
    bool are_sound = true;
    for (uint32_t place = 0; place < owners->count; place++) {
        const struct event_owner *owner = in_heap(owners, place);
        are_sound &= owner->in_heap == place;
        are_sound &= owner->count <= in_heap(owners, place ? (place - 1) / 2 : 0)->count;
        are_sound &= event_owners_find(owners, owner->id) == owner;
    }
    return are_sound;
}
