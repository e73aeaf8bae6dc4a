/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket that the service manager made: its path, mode and group are its unit's, whatever the configuration
 * says of them. An administrator who set them in the wrong place is told so, and told when the socket's file is gone,
 * which no restart of the daemon brings back.
 */
#pragma once

#include "daemon/runtime/server.h"

/* After the socket was taken over. Fills server->notices.socket, and logs each of its lines. */
void activation_check(struct server *server);
