/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's end. SIGTERM under a service manager hands the leases over to the next daemon; SIGINT, and SIGTERM
 * without one, end every lease. What nobody could go on with is taken back before the daemon ends.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

struct server;

/* How the daemon is ending. */
enum shutdown_kind {
    SHUTDOWN_NOT,
    SHUTDOWN_LEASES,   /* with every lease */
    SHUTDOWN_HAND_OVER /* with the leases that the next daemon could not go on with */
};

enum { SHUTDOWN_SIGNALS = 3 };

struct shutdown {
    enum shutdown_kind how;
    uint64_t deadline; /* monotonic */
    uv_signal_t signals[SHUTDOWN_SIGNALS];
};

/* 0 or negative errno. */
int shutdown_catch_signals(struct server *server);

/* After each turn of the loop: ends the loop when nothing is left to wait for, or the time for it is over. */
void shutdown_go_on(struct server *server);
