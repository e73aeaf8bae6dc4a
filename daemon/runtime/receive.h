/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what clients have sent, and serving it. */
#pragma once

#include "daemon/runtime/peer.h"

/* Reads what the connection of a peer, if it has one, has sent, up to a budget. */
void receive_from_peer(struct peer *peer);

/* Serves those who wait for their turn, for a while; once in each turn of the loop. */
void receive_in_turns(struct server *server);
