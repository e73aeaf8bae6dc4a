/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching sizes. A file can't be sealed, so its borrower can grow, truncate or punch it, and a memfd can be
 * truncated by it. That harms only the borrower's own bytes, but the ledger must know.
 */
#include "daemon/runtime/watch.h"

#include "daemon/runtime/log.h"
#include "daemon/runtime/remembered.h"
#include "daemon/runtime/segments.h"

enum { INTERVAL_MS = 1000, LOOKS_PER_INTERVAL = 1000 };

static void look(struct server *server, const struct segment_view *segment)
{
    struct segment_kernel_view kernel;
    struct segment_file *file = segment->handle;
    if (segment->state != SEGMENT_LIVE || segment_look(file, &kernel) < 0 || segment_is_intact(file, &kernel)) {
        return;
    }
    file->is_reported = true;
    const struct log_about about = {.event = LOG_EVENT_SEGMENT_TAMPERED, .lease = segment->lease};
    log_line(LOG_LEVEL_WARNING, &about,
             "lease %llu revoked: segment %llu was granted with %llu bytes and has a size of %llu with %llu allocated",
             (unsigned long long)segment->lease, (unsigned long long)segment->id, (unsigned long long)segment->bytes,
             (unsigned long long)kernel.size, (unsigned long long)kernel.allocated);
    struct input tampered = {.kind = INPUT_SEGMENT_TAMPERED};
    tampered.segment.segment = segment->id;
    server_feed(server, &tampered);
}

void watch_released(struct segment_file *file)
{
    struct segment_kernel_view kernel;
    if (file->is_reported || segment_look(file, &kernel) < 0 || segment_is_intact(file, &kernel)) {
        return;
    }
    const struct log_about about = {.event = LOG_EVENT_SEGMENT_TAMPERED};
    log_line(LOG_LEVEL_WARNING, &about,
             "segment %llu was granted with %llu bytes and came back with a size of %llu with %llu allocated",
             (unsigned long long)file->id, (unsigned long long)file->bytes, (unsigned long long)kernel.size,
             (unsigned long long)kernel.allocated);
}

static void on_interval(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct segment_view segment;
    remembered_save(server);
    for (int i = 0; i < LOOKS_PER_INTERVAL; i++) {
        if (!broker_next_segment(server->broker, server->watch_cursor, &segment)) {
            server->watch_cursor = 0;
            return;
        }
        server->watch_cursor = segment.id;
        look(server, &segment);
    }
}

void watch_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->watch);
    server->watch.data = server;
    (void)uv_timer_start(&server->watch, on_interval, INTERVAL_MS, INTERVAL_MS);
}
