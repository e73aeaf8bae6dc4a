/* SPDX-License-Identifier: Apache-2.0 */
/* One message renews all leases of a session, at a third of the shortest TTL. */
#include "client/renewal.h"

#include <errno.h>
#include <stdlib.h>

#include "client/client.h"
#include "proto/base/cleanup.h"

enum { USE_PAUSE_MS = 50 };

void renewal_init(struct renewal *renewal)
{
    renewal->at = UINT64_MAX;
}

void renewal_plan(mb_client *client, uint64_t at)
{
    if (at < client->renewal.at) {
        client->renewal.at = at;
        wakeup_send(client);
    }
}

/* Collects the reports that the broker does not know yet. */
static size_t collect_use(mb_client *client, struct lease_use *use, size_t max)
{
    size_t count = 0;
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        uint64_t used = atomic_load_explicit(&lease->used_bytes, memory_order_relaxed);
        if (used != lease->reported_bytes && count < max) {
            use[count++] = (struct lease_use){lease->id, used};
            lease->reported_bytes = used;
            atomic_store_explicit(&lease->is_use_known, used > 0, memory_order_relaxed);
        }
    }
    return count;
}

void renewal_forget_use(mb_client *client)
{
    mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        lease->reported_bytes = UINT64_MAX;
    }
}

/* UINT32_MAX: no lease is left to renew. */
static uint32_t shortest_ttl(const mb_client *client)
{
    uint32_t shortest = UINT32_MAX;
    const mb_lease *lease;
    TAILQ_FOREACH(lease, &client->leases.list, in_client) {
        if (!lease->is_loss_noted && lease->ttl_ms < shortest) {
            shortest = lease->ttl_ms;
        }
    }
    return shortest;
}

static void send_renewal(mb_client *client, uint64_t now)
{
    cleanup(freep) struct lease_use *use = malloc(MESSAGE_USE_MAX * sizeof *use);
    struct request request = {.id = link_next_id(client), .kind = REQUEST_RENEW};
    request.renew = (struct renew_request){use, collect_use(client, use, use ? MESSAGE_USE_MAX : 0)};
    int result = link_send(client, &request);
    if (result < 0) {
        renewal_forget_use(client);
    }
    if (result == -EAGAIN) {
        client->renewal.at = now + LINK_SLICE_MS; /* the broker does not read at the moment */
    }
}

/* The broker drops news of losses to a client that reads slowly, so the control pages are looked at here too. */
void renewal_run(mb_client *client, uint64_t now)
{
    lease_table_sweep(client, MB_END_NONE);
    uint32_t ttl = shortest_ttl(client);
    client->renewal.at = ttl == UINT32_MAX ? UINT64_MAX : now + ttl / 3;
    if (ttl != UINT32_MAX && !(client->options.flags & MB_CLIENT_NO_RENEW)) {
        send_renewal(client, now);
    }
}

/* A lease that was unused is used now. After a pause, since a lease that lives shorter is not worth a message. */
static void report_first_use(mb_lease *lease)
{
    mb_client *client = lease->client;
    (void)pthread_mutex_lock(&client->lock);
    atomic_store_explicit(&lease->is_use_known, true, memory_order_relaxed);
    if (!(client->options.flags & MB_CLIENT_NO_RENEW)) {
        renewal_plan(client, clock_milliseconds() + USE_PAUSE_MS);
    }
    (void)pthread_mutex_unlock(&client->lock);
}

void mb_lease_report_use(mb_lease *lease, uint64_t used_bytes)
{
    atomic_store_explicit(&lease->used_bytes, used_bytes, memory_order_relaxed);
    if (used_bytes && !atomic_load_explicit(&lease->is_use_known, memory_order_relaxed)) {
        report_first_use(lease);
    }
}
