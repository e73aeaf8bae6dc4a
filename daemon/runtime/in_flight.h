/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many descriptors may be in flight: sent, and not known to be received. The kernel counts those of the daemon's
 * user in all sockets together and refuses to send more than the daemon may have open. Nothing gets back what a client
 * does not receive, so what counts is not to send too many.
 *
 * All users together have at most half of the kernel's limit. A user may have as many as the part that users share has
 * left (a dynamic threshold): each greedy user that comes takes from the others' room, and leaves as much as it takes.
 * A last quarter of it is kept for users with few in flight, and the fuller that is, the fewer each may have: an honest
 * one gets its welcome and its grants whatever the greedy do.
 *
 * Many users can fill even that, with one descriptor each, and nothing tells a newcomer who will read from one
 * who won't. But who has received before is known: another quarter of the limit is for readers alone, one at a time
 * each. So many users may keep newcomers waiting, but not those who are at work.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { IN_FLIGHT_FEW = 4 /* what is kept for each user, if few have so many */ };

struct in_flight {
    uint32_t total;
    uint32_t most;         /* of all users */
    uint32_t shared;       /* of those, what users with more than a few share */
    uint32_t user_most;    /* of one user, whatever is free */
    uint32_t readers_most; /* of all, when a reader sends */
    bool is_short;         /* a user with few could not send */
};

/* `descriptors`: as many as the kernel lets the daemon send, or fewer. */
void in_flight_init(struct in_flight *in_flight, uint32_t descriptors);

/* Whether a user who has so many in flight may send one more. A reader has received some before. */
bool in_flight_allows(const struct in_flight *in_flight, uint32_t of_user, bool is_reader);

/* Whether all together have so few that no bound is near, even if the clients had received none of them. */
bool in_flight_is_low(const struct in_flight *in_flight);

/* Whether all have as many as newcomers may add to. */
bool in_flight_is_full(const struct in_flight *in_flight);

/* Notes that a user who has so many was not allowed to send. */
void in_flight_note_refused(struct in_flight *in_flight, uint32_t of_user);
