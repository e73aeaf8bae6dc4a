/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing whom to cut off, and saying so. */
#include "daemon/runtime/cut_off.h"

#include "daemon/runtime/connection.h"
#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/peer.h"
#include "proto/base/size.h"

#define DEAF_NS NANOSECONDS_PER_SECOND
enum { LOOKS_AT_ONCE = 64 };

/* Of those looked at, the connection whose user has the most in flight, and received nothing for long. */
static struct connection *find_worst(const struct server *server)
{
    struct connection *connection, *worst = NULL;
    uint64_t now = server_monotonic();
    int looks = 0;
    TAILQ_FOREACH(connection, &server->unreceived, in_unreceived) {
        uint32_t has = connection->caller->unread_descriptors;
        bool is_deaf = now - connection->outbox.unread_since >= DEAF_NS && has > IN_FLIGHT_FEW;
        if (is_deaf && (!worst || has > worst->caller->unread_descriptors)) {
            worst = connection;
        }
        if (++looks == LOOKS_AT_ONCE) {
            break;
        }
    }
    return worst;
}

/* Nobody has more than the few that everybody may have: cutting one off would give nothing back. */
static void log_crowd(const struct server *server)
{
    static const struct log_about anybody = {.event = LOG_EVENT_NONE};
    if (log_allows(&anybody)) {
        log_line(
            LOG_LEVEL_WARNING, &anybody,
            "many users with a few descriptors each do not receive them: %u are in flight, of %u that all may have; "
            "clients wait until they do; raise LimitNOFILE if so many users are to be served",
            server->in_flight.total, server->in_flight.most);
    }
}

/*
 * Others have no room for their first few: somebody who receives nothing goes. What it has not received stays in flight
 * until it closes its socket too, but it holds no session and no lease any more.
 */
void cut_off_worst(struct server *server)
{
    struct connection *worst = find_worst(server);
    server->in_flight.is_short = false;
    if (!worst) {
        log_crowd(server);
        return;
    }
    struct log_about about = peer_about(worst->peer, LOG_EVENT_CLIENT_CUT_OFF, 0);
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about,
                 "process %d does not receive its descriptors and others have no room for theirs: disconnected (uid %u "
                 "has %u in flight, of %u that all may have)",
                 worst->peer->identity.pid, worst->peer->identity.uid, worst->caller->unread_descriptors,
                 server->in_flight.most);
    }
    server->cut_off++;
    connection_close(worst);
}
