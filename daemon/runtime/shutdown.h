/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's end. SIGTERM under a service manager hands the leases over to the next daemon; SIGINT, and SIGTERM
 * without one, end every lease. What nobody could go on with is taken back before the daemon ends.
 */
#pragma once

#include "daemon/runtime/server.h"

/* 0 or negative errno. */
int shutdown_catch_signals(struct server *server);

/* After each turn of the loop: ends the loop when nothing is left to wait for, or the time for it is over. */
void shutdown_go_on(struct server *server);
