/* SPDX-License-Identifier: Apache-2.0 */
/* The watch on a client's process, whose end the core hears of. */
#pragma once

#include "daemon/runtime/peer.h"

/* Watches the process. One that can't be watched is known by its connection alone. 0 or negative errno. */
int peer_watch_start(struct peer *peer);

/* Watches the process of a restored session. -ESRCH: it has ended. */
int peer_watch_again(struct peer *peer, uint64_t started_at);
