/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the broker what was released. */
#include "client/releases.h"

#include <stdlib.h>

#include "client/client.h"

void releases_init(struct releases *releases)
{
    TAILQ_INIT(&releases->list);
}

void releases_close(struct releases *releases)
{
    struct owed_release *owed;
    while ((owed = TAILQ_FIRST(&releases->list))) {
        TAILQ_REMOVE(&releases->list, owed, in_client);
        free(owed);
    }
}

static int send(mb_client *client, uint64_t lease)
{
    const struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    return link_send(client, &request);
}

/* Without memory for the record, the lease goes back when the session is resumed: see orphans.h. */
static void owe(mb_client *client, uint64_t lease)
{
    struct owed_release *owed = calloc(1, sizeof *owed);
    if (owed) {
        owed->lease = lease;
        TAILQ_INSERT_TAIL(&client->releases.list, owed, in_client);
    }
}

void releases_post(mb_client *client, mb_lease *lease, bool was_lost)
{
    bool is_told = was_lost;
    TAILQ_REMOVE(&client->leases.list, lease, in_client);
    if (!is_told && client->link.state == LINK_UP && TAILQ_EMPTY(&client->releases.list)) {
        is_told = send(client, lease->id) == 0;
    }
    if (!is_told) {
        owe(client, lease->id);
        wakeup_send(client);
    }
    lease_unreference(lease);
}

void releases_post_id(mb_client *client, uint64_t lease)
{
    owe(client, lease);
    releases_flush(client);
}

/* If the socket is full, the rest goes later; if the link broke, when the session is resumed. */
void releases_flush(mb_client *client)
{
    struct owed_release *owed;
    while (client->link.state == LINK_UP && (owed = TAILQ_FIRST(&client->releases.list))) {
        if (send(client, owed->lease) < 0) {
            return;
        }
        TAILQ_REMOVE(&client->releases.list, owed, in_client);
        free(owed);
    }
}
