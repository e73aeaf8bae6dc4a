/* SPDX-License-Identifier: Apache-2.0 */
/* Watching the machine's memory pressure, and telling the core its level. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/os/pressure.h"

struct server;

/* What tells of memory pressure. */
struct pressure_source {
    int fd; /* -EBADF: none */
    uv_poll_t poll;
    bool is_given, is_stream; /* by the service manager; to be read */
    enum pressure level;
    struct pressure_meter meter; /* what confirms it, if it is no stream */
    uint64_t until;              /* monotonic: the pressure is taken to last until then */
};

enum { PRESSURE_SOURCES = 3 };

struct pressure_watch {
    struct pressure_source sources[PRESSURE_SOURCES];
    uv_timer_t end, sampling;
    enum pressure level; /* as the core knows it */
};

/* Where nothing tells of pressure it says so once, and goes on. */
void pressure_start(struct server *server);
void pressure_close(struct pressure_watch *watch);
