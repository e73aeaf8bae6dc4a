/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Auditing. First every segment, a few hundred a turn of the loop: each is compared at the instant at
 * which it is looked at, so that what changes between two turns does no harm. Then the descriptors, which
 * a job on the thread pool lists: a memfd of ours that belongs to no segment would be memory outside the ledger.
 */
#include "daemon/runtime/audit.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/os/memfd.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/segments.h"

enum { SEGMENTS_PER_SLICE = 500, SCANS_MAX = 50, SCAN_PAUSE_MS = 5, DIFFERENCE_BYTES = 200 };

struct audit {
    struct server *server;
    struct connection *connection; /* held; ended: nobody waits for the report any more */
    uint64_t request_id;
    uint64_t cursor;
    struct slice slice; /* of the comparison of segments */
    uv_timer_t timer;   /* the pause between two scans */
    uv_work_t work;
    struct audit_reply report;
    char texts[MESSAGE_DIFFERENCES_MAX][DIFFERENCE_BYTES];
    const char *differences[MESSAGE_DIFFERENCES_MAX];
    int scans;
    int *descriptors; /* that look like segments */
    size_t descriptor_count;
    int scan_error;
    int look_error; /* of a segment that could not be looked at: then there is nothing to report */
    bool disturbed; /* jobs ran when the scan began */
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
    free(audit->descriptors);
    free(audit);
}

/* That nothing differs is not known then, and that something does neither. */
static void could_not_look(struct reply *reply, int error)
{
    reply->kind = REPLY_ERROR;
    reply->error = (struct error_reply){.code = ERROR_SYSTEM};
    (void)snprintf(reply->error.sentence, sizeof reply->error.sentence,
                   "the audit could not look at every segment (%s): ask again when the daemon has memory and "
                   "descriptors for it",
                   strerrordesc_np(-error));
}

static void finish(struct audit *audit)
{
    struct reply reply = {.kind = REPLY_AUDIT, .is_answer = true, .reply_to = audit->request_id};
    running = NULL;
    reply.audit = audit->report;
    reply.audit.differences = audit->differences;
    if (audit->look_error && !audit->report.difference_count) {
        could_not_look(&reply, audit->look_error);
    }
    connection_send(audit->connection, &reply, -EBADF);
    uv_close((uv_handle_t *)&audit->timer, on_closed);
}

/* ---- descriptors ---- */

static int keep_descriptor(struct audit *audit, size_t *capacity, int fd)
{
    if (!audit->descriptors || audit->descriptor_count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 256;
        int *grown = reallocarray(audit->descriptors, *capacity, sizeof *grown);
        if (!grown) {
            return -ENOMEM;
        }
        audit->descriptors = grown;
    }
    audit->descriptors[audit->descriptor_count++] = fd;
    return 0;
}

static bool lies_in(const char *target, const char *directory)
{
    size_t length = directory ? strlen(directory) : 0;
    return length && strncmp(target, directory, length) == 0 && target[length] == '/';
}

static bool is_segment_link(const struct server *server, const char *target)
{
    return strcmp(target, MEMFD_SEGMENT_LINK) == 0 || lies_in(target, server->spill.path) ||
           lies_in(target, server->config->files_directory);
}

/* On the thread pool. */
static void scan_work(uv_work_t *work)
{
    struct audit *audit = work->data;
    size_t capacity = 0;
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    audit->descriptor_count = 0;
    free(audit->descriptors);
    audit->descriptors = NULL;
    audit->scan_error = directory ? 0 : -errno;
    while (directory && audit->scan_error == 0 && (entry = readdir(directory))) {
        char target[512];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            if (is_segment_link(audit->server, target)) {
                audit->scan_error = keep_descriptor(audit, &capacity, (int)strtol(entry->d_name, NULL, 10));
            }
        }
    }
    if (directory) {
        (void)closedir(directory);
    }
}

static void scan_again(uv_timer_t *timer);

static bool is_known(const struct server *server, int fd)
{
    return (size_t)fd < server->segment_by_fd_size && server->segment_by_fd[fd];
}

/* A descriptor that is a segment's now, or that a job is making or closing now, explains itself; else it is a leak. */
static void scan_done(uv_work_t *work, int status)
{
    struct audit *audit = work->data;
    struct server *server = audit->server;
    size_t unexplained = 0;
    (void)status;
    for (size_t i = 0; i < audit->descriptor_count; i++) {
        unexplained += !is_known(server, audit->descriptors[i]);
    }
    bool doubtful = unexplained && (audit->disturbed || server->jobs_in_flight || audit->scans < 3);
    if (doubtful && ++audit->scans < SCANS_MAX && connection_is_open(audit->connection)) {
        (void)uv_timer_start(&audit->timer, scan_again, SCAN_PAUSE_MS, 0);
        return;
    }
    if (audit->scan_error < 0) {
        audit->look_error = audit->scan_error;
    } else if (unexplained && !doubtful) {
        note_difference(audit, "%zu descriptors of segments belong to no segment in the ledger", unexplained);
    }
    finish(audit);
}

static void scan_again(uv_timer_t *timer)
{
    struct audit *audit = timer->data;
    audit->work.data = audit;
    audit->disturbed = audit->server->jobs_in_flight > 0;
    (void)uv_queue_work(&audit->server->loop, &audit->work, scan_work, scan_done);
}

/* ---- segments ---- */

static void count(struct audit *audit, const struct segment_view *segment, uint64_t kernel_bytes, uint64_t resident)
{
    struct audit_reply *report = &audit->report;
    bool ram = segment->location == LOCATION_RAM;
    *(ram ? &report->ledger_physical_bytes : &report->ledger_mapped_bytes) += segment->bytes;
    *(ram ? &report->kernel_physical_bytes : &report->kernel_mapped_bytes) += kernel_bytes;
    report->resident_physical_bytes += ram ? resident : 0;
    report->segments++;
}

static void compare(struct audit *audit, const struct segment_view *segment)
{
    struct segment_kernel_view kernel;
    if (segment->state != SEGMENT_LIVE) {
        audit->report.in_flight++;
        return;
    }
    int result = segment_look(segment->handle, &kernel);
    if (result < 0) {
        audit->look_error = result;
        return;
    }
    const struct segment_file *file = segment->handle;
    uint64_t pages = segment->bytes - file->size; /* a named file's last page may be a part of one */
    count(audit, segment, kernel.size + pages, kernel.allocated);
    if (!segment_is_intact(segment->handle, &kernel)) {
        note_difference(audit,
                        "segment %llu of lease %llu: the ledger has %llu bytes, the kernel a size of %llu and %llu "
                        "allocated",
                        (unsigned long long)segment->id, (unsigned long long)segment->lease,
                        (unsigned long long)segment->bytes, (unsigned long long)kernel.size,
                        (unsigned long long)kernel.allocated);
    }
}

static void check_sums(struct audit *audit)
{
    uint64_t physical = 0, mapped = 0, ledger_physical, ledger_mapped;
    struct segment_view segment = {0};
    while (broker_next_segment(audit->server->broker, segment.id, &segment)) {
        *(segment.location == LOCATION_RAM ? &physical : &mapped) += segment.bytes;
    }
    broker_ledger_totals(audit->server->broker, &ledger_physical, &ledger_mapped);
    if (physical != ledger_physical || mapped != ledger_mapped) {
        note_difference(audit, "the ledger's totals are %llu and %llu bytes, its segments' sums %llu and %llu",
                        (unsigned long long)ledger_physical, (unsigned long long)ledger_mapped,
                        (unsigned long long)physical, (unsigned long long)mapped);
    }
}

static void compare_some(struct slice *slice)
{
    struct audit *audit = (struct audit *)((char *)slice - offsetof(struct audit, slice));
    struct segment_view segment;
    for (int i = 0; i < SEGMENTS_PER_SLICE; i++) {
        if (!broker_next_segment(audit->server->broker, audit->cursor, &segment)) {
            check_sums(audit);
            scan_again(&audit->timer);
            return;
        }
        audit->cursor = segment.id;
        compare(audit, &segment);
    }
    schedule_slice(audit->server, slice);
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
