/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that were sent and are not received: each connection's, its user's and all. */
#include "daemon/runtime/in_transit.h"

#include "daemon/runtime/clock.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/server.h"
#include "proto/transport.h"

enum {
    LOOKS_PER_SENDING = 2, /* at sockets, for each descriptor that is sent: so few are counted for nothing */
    IN_FLIGHT_MAX = 64, /* descriptors of one connection. Many threads may share it, and what is held waits for 1 ms */
    UNSEEN_MAX = 8,     /* of one connection, that its client may have received unseen while all have few */
};

void in_transit_count(struct outboxes *outboxes, struct user_load *load, uint32_t more, uint32_t fewer)
{
    load->unread_descriptors += more - fewer;
    outboxes->in_flight.total += more - fewer;
}

void in_transit_forget(struct connection *connection)
{
    if (connection->outbox.unread_descriptors) {
        in_transit_count(&connection->server->outboxes, connection->load, 0, connection->outbox.unread_descriptors);
        connection->outbox.unread_descriptors = 0;
        TAILQ_REMOVE(&connection->server->outboxes.unreceived, connection, in_unreceived);
    }
}

void in_transit_recount(struct connection *connection)
{
    struct outbox *outbox = &connection->outbox;
    int unread_bytes = transport_unread(connection->fd);
    if (unread_bytes == 0) {
        connection->load->has_received = true;
        in_transit_forget(connection);
    } else if (unread_bytes < outbox->unread_bytes) {
        outbox->unread_since = clock_monotonic();
    }
    outbox->unread_bytes = unread_bytes;
}

/* Some of those whose clients may have received by now, the longest unseen first. */
void in_transit_recount_some(struct outboxes *outboxes, int looks)
{
    struct connection *connection;
    for (int i = 0; i < looks && (connection = TAILQ_FIRST(&outboxes->unreceived)); i++) {
        TAILQ_REMOVE(&outboxes->unreceived, connection, in_unreceived);
        TAILQ_INSERT_TAIL(&outboxes->unreceived, connection, in_unreceived);
        in_transit_recount(connection);
    }
}

static bool has_room_in_flight(const struct connection *connection)
{
    return connection->outbox.unread_descriptors < IN_FLIGHT_MAX &&
           in_flight_allows(&connection->server->outboxes.in_flight, connection->load->unread_descriptors,
                            connection->load->has_received);
}

/* Far from every bound it does not matter how many of them were received: no system call is made to find out. */
static bool needs_look(const struct connection *connection)
{
    uint32_t unread = connection->outbox.unread_descriptors;
    return unread >= UNSEEN_MAX || (unread > 0 && !in_flight_is_low(&connection->server->outboxes.in_flight));
}

bool in_transit_allows(struct connection *connection)
{
    struct in_flight *in_flight = &connection->server->outboxes.in_flight;
    if (needs_look(connection)) {
        in_transit_recount(connection);
    }
    bool may = has_room_in_flight(connection);
    if (!may && connection->outbox.unread_descriptors < IN_FLIGHT_MAX) {
        in_flight_note_refused(in_flight, connection->load->unread_descriptors);
    }
    return may;
}

void in_transit_note_sent(struct connection *connection)
{
    struct outbox *outbox = &connection->outbox;
    bool is_low = in_flight_is_low(&connection->server->outboxes.in_flight);
    if (outbox->unread_descriptors == 0) {
        TAILQ_INSERT_TAIL(&connection->server->outboxes.unreceived, connection, in_unreceived);
    }
    if (outbox->unread_descriptors++ == 0 || is_low) { /* it may have received those before, unseen */
        outbox->unread_since = clock_monotonic();
    }
    in_transit_count(&connection->server->outboxes, connection->load, 1, 0);
    if (!is_low) {
        in_transit_recount_some(&connection->server->outboxes, LOOKS_PER_SENDING);
    }
}
