/* SPDX-License-Identifier: Apache-2.0 */
/* All connections and peers that there are. */
#pragma once

#include <sys/queue.h>
#include <uv.h>

struct connection;
struct peer;

LIST_HEAD(connection_list, connection);
LIST_HEAD(peer_list, peer);

struct clients {
    struct connection_list connections;
    uint64_t connection_count;
    struct connection_list ended; /* connections that the reaper tears down */
    struct peer_list peers;
    struct peer_list retired; /* peers that the reaper frees */
    uv_timer_t maintenance;
    uint32_t round; /* of looks at silent connections */
};

static inline void clients_init(struct clients *clients)
{
    LIST_INIT(&clients->connections);
    LIST_INIT(&clients->ended);
    LIST_INIT(&clients->peers);
    LIST_INIT(&clients->retired);
}
