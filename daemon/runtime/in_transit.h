/* SPDX-License-Identifier: Apache-2.0 */
/* Counting the descriptors of a connection that are in flight (in_flight.h has the bounds). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct outboxes;
struct user_load;

/* Counts descriptors of a user, more or fewer. */
void in_transit_count(struct outboxes *outboxes, struct user_load *load, uint32_t more, uint32_t fewer);

/* Whether the connection may be sent another one. */
bool in_transit_allows(struct connection *connection);
void in_transit_note_sent(struct connection *connection);

/* Finds out what its client has received, or of several connections whose clients may have, the longest unseen first.
 */
void in_transit_recount(struct connection *connection);
void in_transit_recount_some(struct outboxes *outboxes, int looks);

/* They count as this connection's no longer. */
void in_transit_forget(struct connection *connection);
