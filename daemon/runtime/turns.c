/* SPDX-License-Identifier: Apache-2.0 */
/* Deficit round robin over users, measured in time. */
#include "daemon/runtime/turns.h"

#include "daemon/runtime/connection_state.h"
#include "proto/base/size.h"

#define TURN_NS  100000   /* of serving, before newcomers are looked for */
#define SHARE_NS 25000    /* of one user in a round */
#define DEBT_NS  10000000 /* the most that is remembered of what was used beyond that */

void turns_add(struct connection *connection)
{
    struct server *server = connection->server;
    struct caller *caller = connection->caller;
    if (connection->is_ready || connection->is_ended) {
        return;
    }
    if (TAILQ_EMPTY(&caller->ready)) {
        TAILQ_INSERT_TAIL(&server->ready, caller, in_turn);
    }
    TAILQ_INSERT_TAIL(&caller->ready, connection, in_ready);
    connection->is_ready = true;
}

void turns_remove(struct connection *connection)
{
    struct caller *caller = connection->caller;
    if (!connection->is_ready) {
        return;
    }
    connection->is_ready = false;
    TAILQ_REMOVE(&caller->ready, connection, in_ready);
    if (TAILQ_EMPTY(&caller->ready)) {
        TAILQ_REMOVE(&connection->server->ready, caller, in_turn);
    }
}

void turns_charge(struct caller *caller, uint64_t nanoseconds)
{
    int64_t left = caller->credit_ns - (int64_t)size_min(nanoseconds, DEBT_NS);
    caller->credit_ns = left < -DEBT_NS ? -DEBT_NS : left;
}

static void serve(struct connection *connection)
{
    turns_remove(connection);
    if (connection_serve(connection)) {
        turns_add(connection);
    } else if (connection->is_paused) {
        connection->is_paused = false;
        connection_listen(connection);
    }
}

/* Returns the time then. */
static uint64_t serve_share(struct server *server, struct caller *caller, uint64_t now)
{
    struct connection *connection;
    TAILQ_REMOVE(&server->ready, caller, in_turn);
    TAILQ_INSERT_TAIL(&server->ready, caller, in_turn);
    caller->credit_ns = caller->credit_ns > 0 ? SHARE_NS : caller->credit_ns + SHARE_NS;
    while (caller->credit_ns > 0 && (connection = TAILQ_FIRST(&caller->ready))) {
        serve(connection);
        uint64_t then = server_monotonic();
        turns_charge(caller, then - now);
        now = then;
    }
    return now;
}

void turns_serve(struct server *server)
{
    uint64_t now = server_monotonic(), end = now + TURN_NS;
    struct caller *caller;
    while (now < end && (caller = TAILQ_FIRST(&server->ready))) {
        now = serve_share(server, caller, now);
    }
}
