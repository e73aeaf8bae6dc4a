/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reaper tears down and frees connections and peers. Nothing else does.
 *
 * The rule: while a handler runs, no connection and no peer is freed. connection_close() and peer_retire() only mark: a
 * connection that has ended reads nothing, and what is sent to it is dropped. So a handler may go on with its
 * connection and its peer whatever it has given to the core meanwhile. What must outlive the turn of the loop holds a
 * reference (connection_hold()). A connection never is without a peer.
 *
 * Only the loop itself (server.c) runs the reaper, where no handler is on the stack.
 */
#pragma once

struct server;

/* Tears down the connections that have ended, tells the core of it, and frees the peers that nobody needs any more. */
void reaper_run(struct server *server);
