/* SPDX-License-Identifier: Apache-2.0 */
/* Whose events are in the ring, and how many: a heap with the owner of the most first, and a table by id. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_owner {
    uint32_t id;
    uint32_t count;       /* of events, at least 1 */
    uint32_t first, last; /* their oldest and newest slot: the ring's */
    uint32_t in_heap;     /* its place there */
    uint32_t next;        /* with the same key, or of the free ones */
};

enum { EVENT_OWNER_BYTES = sizeof(struct event_owner) + sizeof(uint32_t) }; /* for each that there may be */

struct event_owners;

/* For at most so many owners at a time; NULL: no memory. */
struct event_owners *event_owners_new(uint32_t most);

/* Takes NULL. */
void event_owners_free(struct event_owners *owners);

/* One event more of an owner, who may be new. */
struct event_owner *event_owners_count_up(struct event_owners *owners, uint32_t id);

/* One less, of an owner than whom none has more: an owner without events is forgotten. */
void event_owners_count_down(struct event_owners *owners, struct event_owner *largest);

/* Who has the most events; of those who have as many, `preferred` if it is one of them. There is one. */
struct event_owner *event_owners_largest(struct event_owners *owners, uint32_t preferred);

struct event_owner *event_owners_find(const struct event_owners *owners, uint32_t id); /* NULL: it has none */

/* From 0 on, in no order; NULL: there are no more. */
const struct event_owner *event_owners_at(const struct event_owners *owners, uint32_t index);

/* Whether heap and table are as they must be. */
bool event_owners_are_sound(const struct event_owners *owners);
