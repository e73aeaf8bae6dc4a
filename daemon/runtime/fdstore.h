/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping what a restart goes on from: the table, and copies of all descriptors with the service manager. Without one
 * nothing is kept, and leases end with the daemon.
 *
 * Each thing is stored before its record is valid, and its record before anybody is told of it; what ends is forgotten
 * in the opposite order. So what a record names is there, and what no record names is nobody's.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

#include "daemon/os/service_manager.h"
#include "daemon/runtime/table.h"

struct peer;
struct segment_file;
struct server;

struct fdstore {
    struct table table; /* what the next daemon goes on from */
    bool is_frozen;     /* another daemon goes on with it */
    uint32_t names;     /* under which descriptors of sessions, segments and blocks are kept */
};

static inline void fdstore_init(struct fdstore *fdstore)
{
    fdstore->table.fd = -EBADF;
}

/* From here on nothing changes what is kept: the daemon ends, and another goes on. */
void fdstore_freeze(struct fdstore *fdstore);

void fdstore_close(struct fdstore *fdstore);

/* Whether leases outlive the daemon. */
bool fdstore_is_active(const struct fdstore *fdstore);

/* A session was opened; a segment was lent (idempotent). Negative errno where it can't be kept: logged, and it goes on.
 */
void fdstore_keep_session(struct peer *peer);
void fdstore_keep_control_page(struct peer *peer, unsigned place); /* another than the first */
void fdstore_keep_segment(struct segment_file *file);

/* What the next daemon goes on with was restored. */
void fdstore_go_on(struct fdstore *fdstore);

/* A segment was published; a block lost its name. */
void fdstore_keep_block(struct segment_file *file);
void fdstore_note_block_ended(struct segment_file *file, enum end_reason reason);

/* The records of a session's views, by slot. */
struct kept_views {
    uint32_t *records; /* TABLE_NONE: none */
    uint32_t count;
};

/* A lease of the peer is a view of this block; the lease in this slot, which may be one, has ended. */
void fdstore_keep_view(struct peer *peer, const struct segment_file *file, uint64_t lease);
void fdstore_end_view(struct peer *peer, uint32_t slot);

/* Notes the record of a view. False: memory is short. */
bool fdstore_note_view(struct peer *peer, uint32_t slot, uint32_t record);

/* The session is over; its peer goes; the segment was freed. */
void fdstore_forget_session(struct peer *peer);
void fdstore_forget_control(struct peer *peer);
void fdstore_forget_segment(struct segment_file *file);
