/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest events, in the order in which they came, in memory that may outlive the daemon. Each event is on the
 * account of an owner. If the ring is full, the owner who has the most events in it loses the oldest one: so an owner
 * who has no more than an equal share loses none, whatever others do.
 *
 * The daemon may be killed between any two instructions: a record is valid from the one store of its number on, and is
 * written whole before. Everything else is an index beside the records, which is built again from them.
 */
#pragma once

#include <stdatomic.h>

#include "proto/message_rows.h"

/* What outlives the daemon. */
struct event_record {
    _Atomic uint64_t number; /* 0: the record is free; written last */
    uint32_t owner;
    struct event_entry event;
};

/* An event that may be changed as long as it is there. */
struct event_mark {
    uint64_t number; /* 0: none */
    uint32_t slot;
};

struct event_ring;

/* How many events fit into so many bytes, the index included. */
uint32_t event_ring_room(uint64_t bytes);

/* A ring of what is in the records, `room` of them, which stay the caller's and must outlive it. NULL: no memory, or no
 * room. */
struct event_ring *event_ring_new(struct event_record *records, uint32_t room);

/* Takes NULL; returns NULL. */
struct event_ring *event_ring_free(struct event_ring *ring);

/* Adds a copy, with the next number. */
struct event_mark event_ring_add(struct event_ring *ring, uint32_t owner, const struct event_entry *event);

/* The event, to be changed; NULL: it is not there any more. */
struct event_entry *event_ring_at(struct event_ring *ring, struct event_mark mark);

/* The first event after a number, and the events behind it: a place is looked at in one step, and may be empty. */
uint32_t event_ring_find(const struct event_ring *ring, uint64_t after);
bool event_ring_has(const struct event_ring *ring, uint32_t place); /* false: the place is behind the last one */
const struct event_entry *event_ring_look(const struct event_ring *ring, uint32_t place); /* NULL: empty */

/* The number of the event that is or was at a place. */
uint64_t event_ring_number(const struct event_ring *ring, uint32_t place);

uint32_t event_ring_owner(const struct event_ring *ring, uint32_t place); /* of one that is not empty */

/* The numbers of later events are greater than this one: for a ring that goes on from another. */
void event_ring_continue(struct event_ring *ring, uint64_t number);

uint32_t event_ring_count(const struct event_ring *ring);
uint32_t event_ring_count_of(const struct event_ring *ring, uint32_t owner);

/* What is wrong with the index, or NULL. Slow. */
const char *event_ring_check(const struct event_ring *ring);
