/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching sizes. A file can't be sealed, so its borrower can grow, truncate or punch it, and a memfd can be
 * truncated by it. That harms only the borrower's own bytes, but the ledger must know.
 */
#include "daemon/runtime/watch.h"

#include "daemon/runtime/log.h"
#include "daemon/runtime/remembered.h"
#include "daemon/runtime/segments.h"

enum { INTERVAL_MS = 1000, LOOKS_PER_INTERVAL = 1000, LOOKS_PER_RENEWAL = 4 };

/* Whether it was changed; that is logged once, in a budget, since who borrows it may do so again and again. */
static bool was_changed(struct segment_file *file, uint64_t lease, const char *consequence)
{
    struct segment_kernel_view kernel;
    if (file->is_reported || segment_look(file, &kernel) < 0 || segment_is_intact(file, &kernel)) {
        return false;
    }
    file->is_reported = true;
    const struct log_about about = {.event = LOG_EVENT_SEGMENT_TAMPERED, .lease = lease};
    if (log_allows(&about)) {
        log_line(LOG_LEVEL_WARNING, &about,
                 "segment %llu was granted with %llu bytes and has a size of %llu with %llu allocated: %s",
                 (unsigned long long)file->id, (unsigned long long)file->bytes, (unsigned long long)kernel.size,
                 (unsigned long long)kernel.allocated, consequence);
    }
    return true;
}

/* False: it was changed, and its lease is over now. */
static bool look(struct server *server, const struct segment_view *segment)
{
    if (segment->state != SEGMENT_LIVE || !was_changed(segment->handle, segment->lease, "its lease is revoked")) {
        return true;
    }
    struct input tampered = {.kind = INPUT_SEGMENT_TAMPERED};
    tampered.segment.segment = segment->id;
    server_feed(server, &tampered);
    return false;
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
    for (size_t i = 0; i < count && look(server, &segments[i]); i++) {
    }
    return count;
}

void watch_renewed(struct server *server, uint64_t session)
{
    uint64_t first = 0;
    size_t looks = 0, count = 1;
    for (; looks < LOOKS_PER_RENEWAL && count > 0; looks += count) {
        count = look_at_lease(server, session, &first);
    }
}

void watch_released(struct segment_file *file)
{
    (void)was_changed(file, 0, "it came back so");
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
        (void)look(server, &segment);
    }
}

void watch_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->watch);
    server->watch.data = server;
    (void)uv_timer_start(&server->watch, on_interval, INTERVAL_MS, INTERVAL_MS);
}
