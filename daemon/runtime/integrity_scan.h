/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching segments' lengths and blocks. A file can't be sealed, so its borrower can grow, truncate or punch it, and a
 * memfd can be truncated by it. That harms only the borrower's own bytes, but the ledger must know: worker processes
 * look at every segment in turn, and at some of a session's when it renews.
 */
#pragma once

#include <uv.h>

#include "daemon/core/broker.h"
#include "daemon/os/inode_view.h"

struct server;

struct integrity_scan {
    uv_timer_t timer;
    uint64_t cursor; /* the segment that was looked at last */
};

/* When the next interval begins, in ms from now. */
static inline uint64_t integrity_scan_due_in(const struct integrity_scan *scan)
{
    return uv_timer_get_due_in(&scan->timer);
}

/* Starts the timer that looks at all segments in turn. */
void integrity_scan_start(struct server *server);

/* A session renewed: a few of its segments are looked at. */
void integrity_scan_renewed(struct server *server, uint64_t session);

/* A look at one segment, by a worker. */
struct segment_look;

/* `view` NULL: it could not be looked at. `segment` may have ended meanwhile: look it up. */
typedef void integrity_scan_look_done(struct server *server, uint64_t segment, const struct inode_view *view,
                                      void *argument);

/* False: memory is short, the segment's user waits for stuck work of its own, or the workers have been stopped. */
bool integrity_scan_look(struct server *server, const struct segment_view *segment, integrity_scan_look_done *done,
                         void *argument);
