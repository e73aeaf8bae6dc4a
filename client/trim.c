/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trimming: what the library holds in reserve goes back after a while, and at once when the broker asks. The broker is
 * told when that is done, after the program's own callback was: whoever waits for it need not wait longer.
 */
#include "client/buffer/heap.h"
#include "client/client.h"

enum { IDLE_MS = 1000 };

void trim_tend(mb_client *client)
{
    uint64_t now = client_milliseconds();
    (void)pthread_mutex_lock(&client->lock);
    bool asked = client->trim_asked;
    client->trim_asked = false;
    (void)pthread_mutex_unlock(&client->lock);
    heaps_tend(client, now);
    (void)lease_cache_trim(client, asked ? UINT64_MAX : now - IDLE_MS);
    if (!asked) {
        return;
    }
    (void)pthread_mutex_lock(&client->lock);
    link_flush_releases(client);
    if (client->state == LINK_UP) {
        struct request trimmed = {.kind = REQUEST_TRIMMED};
        (void)link_send(client, &trimmed);
    }
    (void)pthread_mutex_unlock(&client->lock);
}
