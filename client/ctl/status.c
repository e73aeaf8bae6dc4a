/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl status */
#include <stdio.h>

#include "client/ctl/column.h"
#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"
#include "client/ctl/users.h"
#include "proto/base/size.h"

/* ---- JSON ---- */

static const char *socket_path(const void *entry, char cell[CELL_BYTES])
{
    (void)entry, (void)cell;
    return ctl_socket();
}

static const char *pressure(const void *entry, char cell[CELL_BYTES])
{
    enum pressure level = ((const struct status_reply *)entry)->pressure;
    (void)cell;
    return level == PRESSURE_FULL ? "full" : level == PRESSURE_SOME ? "some" : "none";
}

static json_t *warnings(const void *entry)
{
    return json_lines(((const struct status_reply *)entry)->warnings);
}

#define FIELD(name) COLUMN_FIELD(struct status_reply, name)

static const char *stuck_user(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct status_reply *)entry)->stuck_user);
}

static json_t *stuck(const void *entry)
{
    static const struct column fields[] = {
        {NULL, "jobs", COLUMN_NUMBER, FIELD(stuck_jobs)},
        {NULL, "uid", COLUMN_NUMBER, FIELD(stuck_user)},
        {NULL, "user", COLUMN_WORDS, .words = stuck_user},
        {NULL, "segment", COLUMN_NUMBER_OR_NONE, FIELD(stuck_segment)},
        {NULL, "bytes", COLUMN_NUMBER, FIELD(stuck_bytes)},
        {NULL, "for_ms", COLUMN_NUMBER, FIELD(stuck_ms)},
    };
    bool is_stuck = ((const struct status_reply *)entry)->stuck_jobs > 0;
    return is_stuck ? columns_to_json(fields, COLUMNS_COUNT(fields), entry) : json_null();
}

static const struct column fields[] = {
    {NULL, "version", COLUMN_STRING, FIELD(daemon_version)},
    {NULL, "socket", COLUMN_WORDS, .words = socket_path},
    {NULL, "configuration_error", COLUMN_STRING, FIELD(configuration_error)},
    {NULL, "warnings", COLUMN_JSON, .json = warnings},
    {NULL, "pid", COLUMN_NUMBER, FIELD(pid)},
    {NULL, "uptime_ms", COLUMN_NUMBER, FIELD(uptime_ms)},
    {NULL, "limits.max_bytes", COLUMN_LIMIT, FIELD(limits.max_bytes)},
    {NULL, "limits.max_physical_bytes", COLUMN_LIMIT, FIELD(limits.max_physical_bytes)},
    {NULL, "limits.max_mapped_bytes", COLUMN_LIMIT, FIELD(limits.max_mapped_bytes)},
    {NULL, "used.bytes", COLUMN_NUMBER, FIELD(used_bytes)},
    {NULL, "used.physical_bytes", COLUMN_NUMBER, FIELD(used_physical_bytes)},
    {NULL, "used.mapped_bytes", COLUMN_NUMBER, FIELD(used_mapped_bytes)},
    {NULL, "used.freeing_bytes", COLUMN_NUMBER, FIELD(freeing_bytes)},
    {NULL, "used.freeing_physical_bytes", COLUMN_NUMBER, FIELD(freeing_physical_bytes)},
    {NULL, "used.control_bytes", COLUMN_NUMBER, FIELD(control_bytes)},
    {NULL, "sessions", COLUMN_NUMBER, FIELD(sessions)},
    {NULL, "leases", COLUMN_NUMBER, FIELD(leases)},
    {NULL, "segments", COLUMN_NUMBER, FIELD(segments)},
    {NULL, "counters.granted", COLUMN_NUMBER, FIELD(counters.granted)},
    {NULL, "counters.released", COLUMN_NUMBER, FIELD(counters.released)},
    {NULL, "counters.expired", COLUMN_NUMBER, FIELD(counters.expired)},
    {NULL, "counters.revoked", COLUMN_NUMBER, FIELD(counters.revoked)},
    {NULL, "counters.died", COLUMN_NUMBER, FIELD(counters.died)},
    {NULL, "counters.refused", COLUMN_NUMBER, FIELD(counters.refused)},
    {NULL, "counters.extended", COLUMN_NUMBER, FIELD(counters.extended)},
    {NULL, "blocks.count", COLUMN_NUMBER, FIELD(blocks.blocks)},
    {NULL, "blocks.views", COLUMN_NUMBER, FIELD(blocks.views)},
    {NULL, "blocks.session_bytes", COLUMN_NUMBER, FIELD(blocks.bytes[LIFETIME_SESSION])},
    {NULL, "blocks.keep_bytes", COLUMN_NUMBER, FIELD(blocks.bytes[LIFETIME_KEEP])},
    {NULL, "blocks.cache_bytes", COLUMN_NUMBER, FIELD(blocks.bytes[LIFETIME_CACHE])},
    {NULL, "blocks.published", COLUMN_NUMBER, FIELD(blocks.published)},
    {NULL, "blocks.attached", COLUMN_NUMBER, FIELD(blocks.attached)},
    {NULL, "blocks.evicted", COLUMN_NUMBER, FIELD(blocks.evicted)},
    {NULL, "objects.count", COLUMN_NUMBER, FIELD(objects.objects)},
    {NULL, "objects.bytes", COLUMN_NUMBER, FIELD(objects.bytes)},
    {NULL, "objects.board_bytes", COLUMN_NUMBER, FIELD(objects.board_bytes)},
    {NULL, "objects.put", COLUMN_NUMBER, FIELD(objects.put)},
    {NULL, "objects.got", COLUMN_NUMBER, FIELD(objects.got)},
    {NULL, "objects.refused", COLUMN_NUMBER, FIELD(objects.refused)},
    {NULL, "host.total_bytes", COLUMN_NUMBER, FIELD(host_total_bytes)},
    {NULL, "host.available_bytes", COLUMN_NUMBER, FIELD(host_available_bytes)},
    {NULL, "spill_directory", COLUMN_STRING, FIELD(spill_directory)},
    {NULL, "away_ms", COLUMN_NUMBER, FIELD(away_ms)},
    {NULL, "pool.bytes", COLUMN_NUMBER, FIELD(pooled_bytes)},
    {NULL, "pool.hits", COLUMN_NUMBER, FIELD(pool_hits)},
    {NULL, "pool.misses", COLUMN_NUMBER, FIELD(pool_misses)},
    {NULL, "waiting", COLUMN_NUMBER, FIELD(waiting)},
    {NULL, "reserved_bytes", COLUMN_NUMBER, FIELD(reserved_bytes)},
    {NULL, "pressure", COLUMN_WORDS, .words = pressure},
    {NULL, "learned_sizes", COLUMN_NUMBER, FIELD(remembered)},
    {NULL, "stuck", COLUMN_JSON, .json = stuck},
    {NULL, "cut_off", COLUMN_NUMBER, FIELD(cut_off)},
};

/* ---- text ---- */

/* A row of the table of limits. */
struct limit_row {
    const char *what, *setting;
    uint64_t used, limit;
};

static const char *share(const void *entry, char cell[CELL_BYTES])
{
    const struct limit_row *row = entry;
    if (row->limit == LIMIT_OFF || row->limit == 0) {
        return "";
    }
    (void)snprintf(cell, CELL_BYTES, "%.1f %%", 100.0 * (double)row->used / (double)row->limit);
    return cell;
}

static const struct column columns[] = {
    {"MEMORY", NULL, COLUMN_STRING, COLUMN_FIELD(struct limit_row, what)},
    {"USED", NULL, COLUMN_BYTES, COLUMN_FIELD(struct limit_row, used)},
    {"LIMIT", NULL, COLUMN_LIMIT, COLUMN_FIELD(struct limit_row, limit)},
    {"SHARE", NULL, COLUMN_WORDS, .right = true, .words = share},
    {"SETTING", NULL, COLUMN_STRING, COLUMN_FIELD(struct limit_row, setting)},
};

static void print_limits(const struct status_reply *status)
{
    const struct limit_row rows[] = {
        {"RAM", "max_physical_bytes", status->used_physical_bytes, status->limits.max_physical_bytes},
        {"mapped files", "max_mapped_bytes", status->used_mapped_bytes, status->limits.max_mapped_bytes},
        {"together", "max_bytes", status->used_bytes, status->limits.max_bytes},
    };
    struct libscols_table *table = columns_to_table(columns, COLUMNS_COUNT(columns));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        columns_add_row(table, columns, COLUMNS_COUNT(columns), &rows[i]);
    }
    table_finish(table);
}

static void print_counters(const struct broker_counters *counters)
{
    printf("granted %llu, extended %llu, released %llu, expired %llu, revoked %llu, died %llu, refused %llu\n",
           (unsigned long long)counters->granted, (unsigned long long)counters->extended,
           (unsigned long long)counters->released, (unsigned long long)counters->expired,
           (unsigned long long)counters->revoked, (unsigned long long)counters->died,
           (unsigned long long)counters->refused);
}

static void print_blocks(const struct block_figures *blocks)
{
    char count[COUNT_BYTES], views[COUNT_BYTES], session[CELL_BYTES], keep[CELL_BYTES], cache[CELL_BYTES];
    printf("%s with %s; lifetime session %s, keep %s, cache %s; published %llu, attached %llu, evicted %llu\n",
           count_to_text(blocks->blocks, "block", count), count_to_text(blocks->views, "view", views),
           size_to_text(blocks->bytes[LIFETIME_SESSION], session), size_to_text(blocks->bytes[LIFETIME_KEEP], keep),
           size_to_text(blocks->bytes[LIFETIME_CACHE], cache), (unsigned long long)blocks->published,
           (unsigned long long)blocks->attached, (unsigned long long)blocks->evicted);
}

static void print_objects(const struct object_figures *objects)
{
    char count[COUNT_BYTES], bytes[CELL_BYTES], boards[CELL_BYTES];
    printf("%s of %s in boards of %s; put %llu, asked for %llu, refused %llu\n",
           count_to_text(objects->objects, "object", count), size_to_text(objects->bytes, bytes),
           size_to_text(objects->board_bytes, boards), (unsigned long long)objects->put,
           (unsigned long long)objects->got, (unsigned long long)objects->refused);
}

/* "3h 12min"; nobody wants to know an uptime to the millisecond. */
static const char *whole_seconds_to_text(uint64_t milliseconds, char *text)
{
    return milliseconds < 1000 ? "0s" : duration_to_text(milliseconds / 1000 * 1000, text);
}

/* Segment 0: it is no segment's. */
static void print_stuck(const struct status_reply *status)
{
    char jobs[COUNT_BYTES], bytes[CELL_BYTES], since[SIZE_TEXT_BYTES];
    const char *name = user_name(status->stuck_user);
    printf("stuck: %s; the oldest, for %s, ", count_to_text(status->stuck_jobs, "job", jobs),
           whole_seconds_to_text(status->stuck_ms, since));
    if (status->stuck_segment) {
        printf("frees or makes segment %llu (%s) of user %u", (unsigned long long)status->stuck_segment,
               size_to_text(status->stuck_bytes, bytes), status->stuck_user);
    } else {
        printf("is for user %u", status->stuck_user);
    }
    if (*name) {
        printf(" (");
        text_print(stdout, name);
        (void)putchar(')');
    }
    printf("; one of that user's processes may hold %s locked\n", status->stuck_segment ? "it" : "a file");
}

/* Alarms come first, so that an administrator can't overlook them. */
static void print_alarms(const struct status_reply *status)
{
    if (*status->configuration_error) {
        printf("BAD CONFIGURATION, the broker runs with earlier settings: ");
        text_print(stdout, status->configuration_error);
        (void)putchar('\n');
    }
    print_warnings(status->warnings);
    if (status->stuck_jobs) {
        print_stuck(status);
    }
}

static void print_heading(const struct status_reply *status)
{
    char sessions[COUNT_BYTES], leases[COUNT_BYTES], segments[COUNT_BYTES], uptime[SIZE_TEXT_BYTES];
    printf("membrokerd ");
    text_print(stdout, status->daemon_version);
    printf(" on ");
    text_print(stdout, ctl_socket());
    printf(", process %d, up %s: %s, %s, %s\n\n", status->pid, whole_seconds_to_text(status->uptime_ms, uptime),
           count_to_text(status->sessions, "session", sessions), count_to_text(status->leases, "lease", leases),
           count_to_text(status->segments, "segment", segments));
}

static void print_status(const struct status_reply *status)
{
    char total[CELL_BYTES], available[CELL_BYTES], freeing[CELL_BYTES], pooled[CELL_BYTES], reserved[CELL_BYTES],
        control[CELL_BYTES], waiting[COUNT_BYTES], pressed[CELL_BYTES];
    print_alarms(status);
    print_heading(status);
    print_limits(status);
    printf("\nof that being freed: %s\nhost: %s in all, %s available now; files in ",
           size_to_text(status->freeing_bytes, freeing), size_to_text(status->host_total_bytes, total),
           size_to_text(status->host_available_bytes, available));
    text_print(stdout, status->spill_directory);
    (void)putchar('\n');
    printf("waiting: %s; pool: %s ready, hits %llu, misses %llu; reserved and not in use: %s\n"
           "memory pressure: %s; learned sizes: %llu; control pages: %s; clients cut off: %llu\n",
           count_to_text(status->waiting, "request", waiting), size_to_text(status->pooled_bytes, pooled),
           (unsigned long long)status->pool_hits, (unsigned long long)status->pool_misses,
           size_to_text(status->reserved_bytes, reserved), pressure(status, pressed),
           (unsigned long long)status->remembered, size_to_text(status->control_bytes, control),
           (unsigned long long)status->cut_off);
    print_counters(&status->counters);
    print_blocks(&status->blocks);
    print_objects(&status->objects);
}

int status_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    int result = ctl_ask(options, &request, &reply);
    if (result == CTL_DONE && options->json) {
        return ctl_print(columns_to_json(fields, COLUMNS_COUNT(fields), &reply->status), false);
    }
    if (result == CTL_DONE) {
        print_status(&reply->status);
    }
    return result;
}
