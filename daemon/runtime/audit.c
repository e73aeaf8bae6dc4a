/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Auditing. First every segment, a few hundred at a time: workers look at them, and each is compared when its look
 * comes back, so that what changes meanwhile does no harm. Then the descriptors (audit_scan.h): one that belongs to
 * nothing would be memory outside the ledger.
 */
#include "daemon/runtime/audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/os/fault.h"
#include "daemon/runtime/audit_scan.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "daemon/runtime/tampering.h"
#include "proto/base/container.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum {
    SEGMENTS_PER_SLICE = 500,
    LOOK_PAUSE_MS = 5,
    LOOKING_MAX_MS = 5000, /* for a slice's looks to come back */
    SCAN_PAUSE_MS = 5,
    DIFFERENCE_BYTES = 200,
};

struct audit {
    struct server *server;
    struct connection *connection; /* held; ended: no one waits for the report any more */
    uint64_t request_id;
    uint64_t cursor;
    struct slice slice; /* of the comparison of segments */
    uv_timer_t timer;   /* the pause between two scans */
    uv_work_t work;
    struct audit_reply report;
    char texts[MESSAGE_DIFFERENCES_MAX][DIFFERENCE_BYTES];
    const char *differences[MESSAGE_DIFFERENCES_MAX];
    size_t references; /* its own, and its looks' */
    struct audit_scan scan;
    size_t looks;         /* that have not come back */
    uint64_t looks_began; /* monotonic */
    size_t unseen;        /* segments that could not be looked at: that nothing differs is not known then */
    uint32_t unseen_user; /* of the last of those */
};

static struct audit *running;

__attribute__((format(printf, 2, 3))) static void note_difference(struct audit *audit, const char *format, ...)
{
    struct audit_reply *report = &audit->report;
    if (report->difference_count == MESSAGE_DIFFERENCES_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = audit->texts[report->difference_count];
    (void)vsnprintf(text, DIFFERENCE_BYTES, format, arguments);
    va_end(arguments);
    log_error("audit: %s", text);
    audit->differences[report->difference_count++] = text;
}

static void on_closed(uv_handle_t *handle)
{
    struct audit *audit = handle->data;
    connection_release(audit->connection);
    audit_scan_deinit(&audit->scan);
    free(audit);
}

/* It stays until all its looks are back, which may be long after its report. */
static void release(struct audit *audit)
{
    if (--audit->references == 0) {
        uv_close((uv_handle_t *)&audit->timer, on_closed);
    }
}

/* That nothing differs is not known then, and that something does neither. */
static void could_not_look(const struct audit *audit, struct reply *reply)
{
    reply->kind = REPLY_ERROR;
    reply->error = (struct error_reply){.code = ERROR_SYSTEM};
    if (audit->unseen) {
        (void)snprintf(
            reply->error.sentence, sizeof reply->error.sentence,
            "the audit could not look at %zu segment%s, one of them user %u's: a process may hold it locked, or "
            "the daemon is short of memory; `membrokerctl status` names what is stuck",
            audit->unseen, text_plural(audit->unseen), audit->unseen_user);
    } else {
        (void)snprintf(reply->error.sentence, sizeof reply->error.sentence,
                       "the audit could not list the daemon's descriptors (%s): ask again when it has memory and "
                       "descriptors for it",
                       strerrordesc_np(-audit->scan.error));
    }
}

static void finish(struct audit *audit)
{
    struct reply reply = {.kind = REPLY_AUDIT, .is_answer = true, .reply_to = audit->request_id};
    running = NULL;
    reply.audit = audit->report;
    reply.audit.differences = audit->differences;
    if ((audit->scan.error || audit->unseen) && !audit->report.difference_count) {
        could_not_look(audit, &reply);
    } else {
        audit->server->figures.audits++;
        audit->server->figures.audit_differences += audit->report.difference_count;
    }
    reply_send(audit->connection, &reply, -EBADF);
    release(audit);
}

/* ---- descriptors ---- */

/* On the thread pool. */
static void scan_work(uv_work_t *work)
{
    struct audit *audit = work->data;
    audit_scan_list(&audit->scan, &audit->server->workers.workshop);
    fault_pause_audit();
}

static void note_suspects(struct audit *audit)
{
    const struct audit_scan *scan = &audit->scan;
    const struct found_descriptor *first = scan->suspects;
    if (scan->suspect_count) {
        note_difference(audit,
                        "%zu descriptor%s of segments or control pages belong%s to nothing in the ledger; the first is "
                        "descriptor %d, inode %llu, with %llu bytes",
                        scan->suspect_count, text_plural(scan->suspect_count), scan->suspect_count == 1 ? "s" : "",
                        first->fd, (unsigned long long)first->inode, (unsigned long long)first->bytes);
    }
    if (scan->control_differs) {
        note_difference(audit, "%llu bytes of control pages are counted, and the kernel has %llu",
                        (unsigned long long)scan->counted_control_bytes, (unsigned long long)scan->control_bytes);
    }
}

static void scan_again(uv_timer_t *timer);

static void scan_done(uv_work_t *work, int status)
{
    struct audit *audit = work->data;
    struct audit_scan *scan = &audit->scan;
    (void)status;
    bool is_settled = audit_scan_conclude(scan, audit->server);
    if (!is_settled && connection_is_open(audit->connection)) {
        (void)uv_timer_start(&audit->timer, scan_again, SCAN_PAUSE_MS, 0);
        return;
    }
    audit->report.ledger_control_bytes = scan->counted_control_bytes;
    audit->report.kernel_control_bytes = scan->control_bytes;
    if (is_settled && scan->error == 0) {
        note_suspects(audit);
    }
    finish(audit);
}

static void scan_again(uv_timer_t *timer)
{
    struct audit *audit = timer->data;
    audit->work.data = audit;
    (void)uv_queue_work(&audit->server->loop, &audit->work, scan_work, scan_done);
}

/* ---- segments ---- */

static void count(struct audit *audit, const struct segment_view *segment, uint64_t kernel_bytes, uint64_t resident)
{
    struct audit_reply *report = &audit->report;
    bool is_memory = location_is_memory(segment->location);
    *(is_memory ? &report->ledger_physical_bytes : &report->ledger_mapped_bytes) += segment->bytes;
    *(is_memory ? &report->kernel_physical_bytes : &report->kernel_mapped_bytes) += kernel_bytes;
    report->resident_physical_bytes += is_memory ? resident : 0;
    report->segments++;
}

static void note_unseen(struct audit *audit, const struct segment_view *segment)
{
    const struct segment_file *file = segment->handle;
    audit->unseen++;
    audit->unseen_user = file->work.user;
}

static void compare(struct audit *audit, const struct segment_view *segment, const struct inode_view *kernel)
{
    const struct segment_file *file = segment->handle;
    uint64_t pages = segment->bytes - segment_length(file); /* a named file's last page may be a part of one */
    count(audit, segment, kernel->size + pages, kernel->allocated);
    if (!tampering_is_absent(file, kernel)) {
        note_difference(audit,
                        "segment %llu of lease %llu: the ledger has %llu bytes, the kernel a size of %llu and %llu "
                        "allocated%s",
                        (unsigned long long)segment->id, (unsigned long long)segment->lease,
                        (unsigned long long)segment->bytes, (unsigned long long)kernel->size,
                        (unsigned long long)kernel->allocated, kernel->goes_beyond ? ", some beyond its end" : "");
    }
}

static void on_looked(struct server *server, uint64_t id, const struct inode_view *view, void *argument)
{
    struct audit *audit = argument;
    struct segment_view segment;
    audit->looks--;
    if (audit == running && !server->is_closing) {
        if (!broker_next_segment(server->broker, id - 1, &segment) || segment.id != id ||
            segment.state != SEGMENT_LIVE) {
            audit->report.in_flight++;
        } else if (view) {
            compare(audit, &segment, view);
        } else {
            note_unseen(audit, &segment);
        }
    }
    release(audit);
}

static void look(struct audit *audit, const struct segment_view *segment)
{
    if (segment->state != SEGMENT_LIVE) {
        audit->report.in_flight++;
    } else if (integrity_scan_look(audit->server, segment, on_looked, audit)) {
        audit->looks++;
        audit->references++;
    } else {
        note_unseen(audit, segment);
    }
}

static void check_sums(struct audit *audit)
{
    uint64_t boards = broker_board_bytes(audit->server->broker);
    uint64_t physical = boards, mapped = 0, ledger_physical, ledger_mapped;
    struct segment_view segment = {0};
    while (broker_next_segment(audit->server->broker, segment.id, &segment)) {
        *(location_is_memory(segment.location) ? &physical : &mapped) += segment.bytes;
    }
    broker_ledger_totals(audit->server->broker, &ledger_physical, &ledger_mapped);
    if (physical != ledger_physical || mapped != ledger_mapped) {
        note_difference(audit, "the ledger's totals are %llu and %llu bytes, its segments' sums %llu and %llu",
                        (unsigned long long)ledger_physical, (unsigned long long)ledger_mapped,
                        (unsigned long long)physical, (unsigned long long)mapped);
    }
    audit->report.ledger_physical_bytes += boards;
    audit->report.kernel_physical_bytes += audit->server->boards.bytes;
    audit->report.resident_physical_bytes += audit->server->boards.bytes;
    if (boards != audit->server->boards.bytes) {
        note_difference(audit, "the ledger has %llu bytes of boards, and there are %llu", (unsigned long long)boards,
                        (unsigned long long)audit->server->boards.bytes);
    }
}

static bool waits_for_looks(struct audit *audit)
{
    uint64_t waited = clock_monotonic() - audit->looks_began;
    if (audit->looks && waited > LOOKING_MAX_MS * NANOSECONDS_PER_MILLISECOND) {
        audit->unseen += audit->looks; /* they may come back later, and are then ignored */
        audit->unseen_user = workers_stuck(&audit->server->workers).user;
        return false;
    }
    return audit->looks > 0;
}

static void compare_some(struct slice *slice);

static void look_again(uv_timer_t *timer)
{
    struct audit *audit = timer->data;
    compare_some(&audit->slice);
}

static void compare_some(struct slice *slice)
{
    struct audit *audit = container_of(slice, struct audit, slice);
    struct segment_view segment;
    if (waits_for_looks(audit)) {
        (void)uv_timer_start(&audit->timer, look_again, LOOK_PAUSE_MS, 0);
        return;
    }
    bool gives_up = audit->looks > 0, ends = false;
    audit->looks_began = clock_monotonic();
    for (int i = 0; !gives_up && !ends && i < SEGMENTS_PER_SLICE; i++) {
        ends = !broker_next_segment(audit->server->broker, audit->cursor, &segment);
        if (!ends) {
            audit->cursor = segment.id;
            look(audit, &segment);
        }
    }
    if (gives_up || (ends && !audit->looks)) {
        check_sums(audit);
        scan_again(&audit->timer);
    } else {
        schedule_slice(&audit->server->schedule, slice);
    }
}

bool audit_start(struct connection *connection, uint64_t request_id)
{
    struct audit *audit = running ? NULL : calloc(1, sizeof *audit);
    if (!audit) {
        return false;
    }
    audit->server = connection_server(connection);
    audit->connection = connection_hold(connection);
    audit->request_id = request_id;
    audit->references = 1;
    (void)uv_timer_init(&audit->server->loop, &audit->timer);
    audit->timer.data = audit;
    running = audit;
    audit->slice.run = compare_some;
    compare_some(&audit->slice);
    return true;
}

bool audit_is_running(void)
{
    return running;
}
