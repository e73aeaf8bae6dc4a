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

/* It was published, and is its lease's no longer: the next daemon frees it. */
void fdstore_note_published(struct segment_file *file);

/* The session is over; its peer goes; the segment was freed. */
void fdstore_forget_session(struct peer *peer);
void fdstore_forget_control(struct peer *peer);
void fdstore_forget_segment(struct segment_file *file);
