/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest samples of what classes hold, in memory that may outlive the daemon. Each takes the place of the oldest
 * one; their numbers have no gaps. A record is valid from the one store of its number on.
 */
#pragma once

#include <stdatomic.h>

#include "proto/message_rows.h"

struct sample_record {
    _Atomic uint64_t number; /* 0: none; written last */
    struct sample_entry sample;
};

struct sample_ring {
    struct sample_record *records; /* the caller's */
    uint32_t room;                 /* 0: there are none */
    uint64_t first, last;          /* numbers; first > last: none */
};

/* A ring of what is in the records. If they are empty, numbers begin above `before`. */
void sample_ring_open(struct sample_ring *ring, struct sample_record *records, uint32_t room, uint64_t before);

/* Adds a copy, with the next number. There is room. */
void sample_ring_add(struct sample_ring *ring, const struct sample_entry *sample);

/* The first one after a number, or NULL. */
const struct sample_entry *sample_ring_next(const struct sample_ring *ring, uint64_t after);
