/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing whom to cut off, and saying so. */
#include "daemon/runtime/cut_off.h"

#include "daemon/runtime/about.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/connection.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/in_transit.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

#define SLOW_NS      NANOSECONDS_PER_SECOND
#define LONG_SLOW_NS (5 * NANOSECONDS_PER_SECOND) /* of those who have no more than everybody may */
enum { LOOKS_AT_ONCE = 64 };

/* Whether to cut it off would be just: it has more than a few and receives nothing, or has not for long. */
static bool is_slow(const struct outboxes *outboxes, const struct connection *connection, uint64_t now)
{
    uint64_t since = now - connection->outbox.unread_since;
    return since >= SLOW_NS && (connection->load->unread_descriptors > IN_FLIGHT_FEW ||
                                (since >= LONG_SLOW_NS && in_flight_is_full(&outboxes->in_flight)));
}

/* Whose user has more in flight; of those with a few, who has not received for longer. */
static bool is_worse(const struct connection *a, const struct connection *b)
{
    uint32_t of_a = a->load->unread_descriptors, of_b = b->load->unread_descriptors;
    if (of_a > IN_FLIGHT_FEW || of_b > IN_FLIGHT_FEW) {
        return of_a > of_b;
    }
    return a->outbox.unread_since < b->outbox.unread_since;
}

/* Each is looked at first: while all had few, nobody did. */
static struct connection *find_worst(struct outboxes *outboxes)
{
    struct connection *connection, *next, *worst = NULL;
    uint64_t now = clock_monotonic();
    connection = TAILQ_FIRST(&outboxes->unreceived);
    for (int looks = 0; connection && looks < LOOKS_AT_ONCE; looks++, connection = next) {
        next = TAILQ_NEXT(connection, in_unreceived);
        in_transit_recount(connection);
        bool is_unread = connection->outbox.unread_descriptors > 0;
        if (is_unread && is_slow(outboxes, connection, now) && (!worst || is_worse(connection, worst))) {
            worst = connection;
        }
    }
    return worst;
}

/* Nobody has more than the few that everybody may have, or has had them for long. */
static void log_many_users(const struct outboxes *outboxes)
{
    static const struct log_about anybody = {.event = LOG_EVENT_NONE};
    if (log_allows(&anybody)) {
        log_line(
            LOG_LEVEL_WARNING, &anybody,
            "many users with a few descriptors each do not receive them: %u are in flight, of %u that all may have; "
            "clients wait until they do; raise LimitNOFILE if so many users are to be served",
            outboxes->in_flight.total, outboxes->in_flight.most);
    }
}

/*
 * There is no room for the first descriptors of other users, so a client that receives nothing is cut off. What it has
 * not received stays in flight until it closes its socket, but it has no session and no lease any more.
 */
void cut_off_worst(struct outboxes *outboxes)
{
    struct connection *worst = find_worst(outboxes);
    outboxes->in_flight.is_short = false;
    if (!worst) {
        log_many_users(outboxes);
        return;
    }
    struct log_about about = about_peer(worst->peer, LOG_EVENT_CLIENT_CUT_OFF, 0);
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about,
                 "process %d does not receive its descriptors and others have no room for theirs: disconnected (uid %u "
                 "has %u in flight, of %u that all may have)",
                 worst->peer->identity.pid, worst->peer->identity.uid, worst->load->unread_descriptors,
                 outboxes->in_flight.most);
    }
    outboxes->cut_off++;
    connection_close(worst);
}

void cut_off_slow_reader(const struct connection *connection)
{
    struct log_about about = about_peer(connection->peer, LOG_EVENT_CLIENT_CUT_OFF, 0);
    connection->server->outboxes.cut_off++;
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about, "process %d does not read its answers: disconnected",
                 connection->peer->identity.pid);
    }
}
