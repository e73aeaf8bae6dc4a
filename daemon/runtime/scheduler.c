/* SPDX-License-Identifier: Apache-2.0 */
/* Deficit round robin over users, measured in time. */
#include "daemon/runtime/scheduler.h"

#include "daemon/runtime/connection_state.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"

#define DEBT_NS 10000000 /* the most that is remembered of what was used beyond that */

void scheduler_add(struct connection *connection)
{
    struct server *server = connection->server;
    struct user_load *load = connection->load;
    if (connection->is_ready || connection->is_ended) {
        return;
    }
    if (TAILQ_EMPTY(&load->ready)) {
        TAILQ_INSERT_TAIL(&server->scheduler.ready, load, in_turn);
    }
    TAILQ_INSERT_TAIL(&load->ready, connection, in_ready);
    connection->is_ready = true;
}

void scheduler_remove(struct connection *connection)
{
    struct user_load *load = connection->load;
    if (!connection->is_ready) {
        return;
    }
    connection->is_ready = false;
    TAILQ_REMOVE(&load->ready, connection, in_ready);
    if (TAILQ_EMPTY(&load->ready)) {
        TAILQ_REMOVE(&connection->server->scheduler.ready, load, in_turn);
    }
}

void scheduler_charge(struct user_load *load, uint64_t nanoseconds)
{
    int64_t left = load->credit_ns - (int64_t)size_min(nanoseconds, DEBT_NS);
    load->credit_ns = left < -DEBT_NS ? -DEBT_NS : left;
}
