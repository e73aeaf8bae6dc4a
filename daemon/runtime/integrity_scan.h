/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching segments' lengths and blocks. A file can't be sealed, so its borrower can grow, truncate or punch it, and a
 * memfd can be truncated by it. That harms only the borrower's own bytes, but the ledger must know: worker processes
 * look at every segment in turn, and at some of a session's when it renews.
 */
#pragma once

#include "daemon/runtime/segments.h"

/* Starts the timer that looks at all segments in turn. */
void integrity_scan_start(struct server *server);

/* A session renewed: a few of its segments are looked at. */
void integrity_scan_renewed(struct server *server, uint64_t session);

/* A look at one segment, by a worker. */
struct segment_look;

/* `view` NULL: it could not be looked at. `segment` may have ended meanwhile: look it up. */
typedef void segment_look_done(struct server *server, uint64_t segment, const struct inode_view *view, void *argument);

/* False: memory is short, or the segment's user waits for stuck work of its own. */
bool segment_look_begin(struct server *server, const struct segment_view *segment, segment_look_done *done,
                        void *argument);
