/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trimming: what the library holds in reserve goes back after a while, and at once when the broker asks. The broker is
 * told when that is done, after the program's own callback was: whoever waits for it need not wait longer.
 */
#include "client/buffer/heap.h"
#include "client/client.h"
#include "client/workspace/workspace.h"

enum { IDLE_MS = 1000 };

/* What the broker asked for while it was in use may be idle a while later: once more is looked then. */
static bool take_wish(mb_client *client, uint64_t now, bool *ret_asked)
{
    (void)pthread_mutex_lock(&client->lock);
    arenas_look(client, now);
    bool again = client->trim_again_at && client->trim_again_at <= now;
    *ret_asked = client->trim_asked;
    if (client->trim_asked || again) {
        client->trim_again_at = client->trim_asked ? now + IDLE_MS : 0;
    }
    client->trim_asked = false;
    (void)pthread_mutex_unlock(&client->lock);
    return *ret_asked || again;
}

void trim_tend(mb_client *client)
{
    uint64_t now = client_milliseconds();
    bool asked;
    bool wanted = take_wish(client, now, &asked);
    heaps_tend(client, now);
    if (wanted) {
        arenas_take_idle(client, now - IDLE_MS);
    }
    (void)lease_cache_trim(client, wanted ? UINT64_MAX : now - IDLE_MS);
    if (!wanted) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    link_flush_releases(client);
    if (asked && client->state == LINK_UP) {
        struct request trimmed = {.kind = REQUEST_TRIMMED};
        (void)link_send(client, &trimmed);
    }
    (void)pthread_mutex_unlock(&client->lock);
}
