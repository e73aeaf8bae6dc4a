/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has available, as the core is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/os/host_memory.h"

struct server;

struct host_view {
    struct host_memory host;
    uint64_t read_at;       /* monotonic; 0: never */
    bool has_freed_much;    /* since then: the host is to be looked at again */
    uint64_t filling_bytes; /* of segments that are being filled: the host's figures have only a part of them */
};

static inline void host_view_begin_filling(struct host_view *view, uint64_t bytes)
{
    view->filling_bytes += bytes;
}

static inline void host_view_end_filling(struct host_view *view, uint64_t bytes)
{
    view->filling_bytes -= bytes;
}

/* After a free of much memory the host is looked at again. */
static inline void host_view_note_freed(struct host_view *view, uint64_t bytes)
{
    enum { MUCH_BYTES = 4 << 20 };
    view->has_freed_much = view->has_freed_much || bytes > MUCH_BYTES;
}

/* Looks at the host and tells the core, if the last look is older than `age_ns`. */
void host_view_refresh(struct server *server, uint64_t age_ns);

/* The same if much was freed since. */
void host_view_follow_frees(struct server *server);
