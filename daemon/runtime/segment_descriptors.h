/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of a segment: its own, and those that are lent of one that can be published. */
#pragma once

#include <stdbool.h>

#include "daemon/core/effect.h"
#include "daemon/runtime/segments.h"

/* Enters its own descriptor where segments are looked up and descriptors are counted. False: memory is short. */
bool segment_enter(struct segment_file *file);

/* The opposite; the descriptor stays open. */
void segment_remove(struct segment_file *file);

/*
 * Opens those that are lent. Call it before anybody else has the inode, or before the daemon serves: opening it again
 * waits for nobody then. 0 or negative errno.
 */
int segment_open_others(struct segment_file *file, enum segment_lending lending);

/* Takes those that a worker has opened; each may be negative errno instead. 0 or negative errno. */
int segment_take_others(struct segment_file *file, int readable, int writable);

/* Close them, as far as they are open. */
void segment_close_writable(struct segment_file *file);
void segment_close_others(struct segment_file *file);
