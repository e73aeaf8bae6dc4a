/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving back control pages of ended sessions. Nothing tells when a client has let go of one, so workers ask: soon
 * after a session has ended, and then ever more rarely. A page that may still be held stays, and is counted.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

struct server;

struct control_return {
    uv_timer_t timer;
    uint64_t pause_ms;
};

void control_return_start(struct server *server);

/* A session has ended: its pages are asked about. */
void control_return_soon(struct server *server);
