/* SPDX-License-Identifier: Apache-2.0 */
/* Deficit round robin over users, measured in time. */
#include "daemon/runtime/turns.h"

#include "daemon/runtime/connection_state.h"
#include "proto/base/size.h"

#define DEBT_NS 10000000 /* the most that is remembered of what was used beyond that */

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
