/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at segments, and ending the leases of those that were changed. */
#include "daemon/runtime/integrity_scan.h"

#include <stdlib.h>

#include "daemon/runtime/server.h"
#include "daemon/runtime/tampering.h"
#include "proto/base/container.h"

enum { INTERVAL_MS = 1000, LOOKS_PER_INTERVAL = 1000, LOOKS_PER_RENEWAL = 4 };

/* ---- one look ---- */

struct segment_look {
    struct work work;
    integrity_scan_look_done *done;
    void *argument;
};

static void look_done(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct segment_look *look = container_of(work, struct segment_look, work);
    (void)fd;
    look->done(server, work->job.segment, result->error < 0 ? NULL : &result->view, look->argument);
    free(look);
}

bool integrity_scan_look(struct server *server, const struct segment_view *segment, integrity_scan_look_done *done,
                         void *argument)
{
    const struct segment_file *file = segment->handle;
    bool can_look = !server->is_closing && !workers_are_held_up(&server->workers, file->work.user, false);
    struct segment_look *look = can_look ? calloc(1, sizeof *look) : NULL;
    if (!look) {
        return false;
    }
    look->work.job.kind = JOB_LOOK;
    look->work.job.segment = segment->id;
    look->work.job.backend = file->work.job.backend;
    look->work.fd = file->fd;
    look->work.user = file->work.user; /* behind it in its lane comes whatever frees the segment */
    look->work.done = look_done;
    look->done = done;
    look->argument = argument;
    workers_do(server, &look->work);
    return true;
}

/* ---- what was changed ---- */

static void looked(struct server *server, uint64_t id, const struct inode_view *view, void *argument)
{
    struct segment_view segment;
    (void)argument;
    if (!view || server->is_closing || !broker_next_segment(server->broker, id - 1, &segment) || segment.id != id ||
        segment.state != SEGMENT_LIVE || tampering_is_absent(segment.handle, view)) {
        return;
    }
    tampering_log(segment.handle, segment.lease, view, "its lease is revoked");
    struct input tampered = {.kind = INPUT_SEGMENT_TAMPERED};
    tampered.segment.segment = id;
    executor_feed(server, &tampered);
}

/* ---- whom to look at ---- */

static void look(struct server *server, const struct segment_view *segment)
{
    const struct segment_file *file = segment->handle;
    if (segment->state == SEGMENT_LIVE && !file->is_reported) {
        (void)integrity_scan_look(server, segment, looked, NULL); /* if not now, then the next time */
    }
}

/* The segments of one lease; a session that has only this one is done with it. */
static size_t look_at_lease(struct server *server, uint64_t session, uint64_t *first)
{
    struct segment_view segments[LEASE_EXTENTS_MAX];
    size_t count = broker_look_at_next_lease(server->broker, session, segments);
    if (!count || segments[0].lease == *first) {
        return 0;
    }
    *first = *first ? *first : segments[0].lease;
    for (size_t i = 0; i < count; i++) {
        look(server, &segments[i]);
    }
    return count;
}

void integrity_scan_renewed(struct server *server, uint64_t session)
{
    uint64_t first = 0;
    size_t looks = 0, count = 1;
    for (; looks < LOOKS_PER_RENEWAL && count > 0; looks += count) {
        count = look_at_lease(server, session, &first);
    }
}

static void on_interval(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct segment_view segment;
    remembered_save(server);
    for (int i = 0; i < LOOKS_PER_INTERVAL; i++) {
        if (!broker_next_segment(server->broker, server->integrity_scan.cursor, &segment)) {
            server->integrity_scan.cursor = 0;
            return;
        }
        server->integrity_scan.cursor = segment.id;
        look(server, &segment);
    }
}

void integrity_scan_start(struct server *server)
{
    uv_timer_t *timer = &server->integrity_scan.timer;
    (void)uv_timer_init(&server->loop, timer);
    timer->data = server;
    (void)uv_timer_start(timer, on_interval, INTERVAL_MS, INTERVAL_MS);
}
