/* SPDX-License-Identifier: Apache-2.0 */
/* The timers of a client. */
#include "client/upkeep.h"

#include <limits.h>

#include "client/cancel.h"
#include "client/client.h"
#include "proto/base/size.h"

static void give_up_leases(mb_client *client, uint64_t now)
{
    if (link_is_hopeless(client, now)) {
        lease_table_sweep(client, MB_END_BROKER_GONE);
        calls_fail_all(client);
    }
}

/* The control page outlives the connection, so a loss may show in it. */
static void reconnect(mb_client *client, uint64_t now)
{
    lease_table_sweep(client, MB_END_NONE);
    if (link_open(client) < 0 && client->link.state == LINK_DOWN) {
        give_up_leases(client, now);
        link_plan_retry(client);
    }
}

void upkeep_connection(mb_client *client)
{
    uint64_t now = clock_milliseconds();
    if (client->is_stopping) {
        return;
    }
    if (client->link.state == LINK_DOWN && client->link.retry_at <= now) {
        reconnect(client, now);
    } else if (client->link.state == LINK_UP && client->renewal.at <= now) {
        renewal_run(client, now);
    }
    session_send_owed(client);
    releases_flush(client);
    cancel_send(client);
}

void upkeep_program(mb_client *client)
{
    events_deliver(client);
    trim_run(client);
}

static uint64_t connection_due(const mb_client *client)
{
    bool is_owed = !TAILQ_EMPTY(&client->releases.list) || cancel_is_owed(client) || session_is_owing(client);
    uint64_t flush = is_owed ? clock_milliseconds() + LINK_SLICE_MS : UINT64_MAX;
    if (client->link.state == LINK_DOWN) {
        return client->link.retry_at;
    }
    return client->link.state == LINK_UP ? size_min(flush, client->renewal.at) : flush;
}

uint64_t upkeep_due(const mb_client *client)
{
    return size_min(connection_due(client), trim_due(client));
}

int upkeep_timeout(const mb_client *client)
{
    uint64_t due = upkeep_due(client);
    return due == UINT64_MAX ? -1 : (int)size_min(size_subtract_floored(due, clock_milliseconds()), INT_MAX);
}
