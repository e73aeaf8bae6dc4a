/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of a daemon that was killed. Their readers may still look at the control pages that it wrote, which nobody can
 * write any more: so the bytes stay, and are charged, until each reader has resumed its session, or can't any more.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

struct segment_file;
struct server;

struct lost_blocks {
    TAILQ_HEAD(lost_segment_queue, segment_file) files;
    uv_timer_t timer; /* until they are freed */
};

/* Once the loop is there. */
void lost_blocks_start(struct server *server);

/* Frees a segment, which the core knows as being freed, after [leases] reconnect_grace. */
void lost_blocks_add(struct segment_file *file);

/* Frees all of them now. */
void lost_blocks_free(struct server *server);
