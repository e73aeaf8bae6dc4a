/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a client's process is known to have ended, of which the core hears. As a rule its connection ends with it, which
 * needs no descriptor. A process that has broken its connection, or lost it to a restart, is watched by a pidfd while
 * its session waits for it. And a socket may outlive its process in a forked child: so connections that are silent are
 * looked at now and then.
 */
#pragma once

#include "daemon/runtime/peer.h"

struct clients;

/*
 * Watches the process at the other end of the peer's socket, which is about to be closed. True: it has ended already.
 * One that can't be watched is known by its session's grace alone.
 */
bool peer_watch_start(struct peer *peer);

/* Watches the process of a restored session. -ESRCH: it has ended. */
int peer_watch_again(struct peer *peer, uint64_t started_at);

/*
 * Looks whether processes have ended whose connections have been silent, and tells the core. A call looks at some of
 * them; a round takes several calls if there are many.
 */
void peer_watch_look_at_silent(struct clients *clients);
