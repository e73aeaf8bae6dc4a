/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl status */
#include <stdio.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"
#include "proto/base/size.h"

static json_t *counters_json(const struct broker_counters *counters)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "granted", (json_int_t)counters->granted, "released",
                     (json_int_t)counters->released, "expired", (json_int_t)counters->expired, "revoked",
                     (json_int_t)counters->revoked, "died", (json_int_t)counters->died, "refused",
                     (json_int_t)counters->refused, "extended", (json_int_t)counters->extended);
}

static const char *pressure_name(enum pressure level)
{
    return level == PRESSURE_FULL ? "full" : level == PRESSURE_SOME ? "some" : "none";
}

static json_t *stuck_json(const struct status_reply *status)
{
    if (!status->stuck_jobs) {
        return json_null();
    }
    return json_pack("{s:i,s:I,s:o,s:I,s:I}", "jobs", (int)status->stuck_jobs, "uid", (json_int_t)status->stuck_user,
                     "segment", json_number(status->stuck_segment), "bytes", (json_int_t)status->stuck_bytes, "for_ms",
                     (json_int_t)status->stuck_ms);
}

static json_t *status_json(const struct status_reply *status)
{
    json_t *limits = json_pack("{s:o,s:o,s:o}", "max_bytes", json_limit(status->limits.max_bytes), "max_physical_bytes",
                               json_limit(status->limits.max_physical_bytes), "max_mapped_bytes",
                               json_limit(status->limits.max_mapped_bytes));
    json_t *used = json_pack("{s:I,s:I,s:I,s:I,s:I}", "bytes", (json_int_t)status->used_bytes, "physical_bytes",
                             (json_int_t)status->used_physical_bytes, "mapped_bytes",
                             (json_int_t)status->used_mapped_bytes, "freeing_bytes", (json_int_t)status->freeing_bytes,
                             "control_bytes", (json_int_t)status->control_bytes);
    json_t *host = json_pack("{s:I,s:I}", "total_bytes", (json_int_t)status->host_total_bytes, "available_bytes",
                             (json_int_t)status->host_available_bytes);
    json_t *pool = json_pack("{s:I,s:I,s:I}", "bytes", (json_int_t)status->pooled_bytes, "hits",
                             (json_int_t)status->pool_hits, "misses", (json_int_t)status->pool_misses);
    return json_pack(
        "{s:s,s:s,s:o,s:o,s:i,s:I,s:o,s:o,s:I,s:I,s:I,s:o,s:o,s:o,s:I,s:o,s:I,s:I,s:s,s:I,s:o,s:I}", "version",
        status->daemon_version, "socket", ctl_socket(), "configuration_error", json_text(status->configuration_error),
        "warnings", json_lines(status->warnings), "pid", status->pid, "uptime_ms", (json_int_t)status->uptime_ms,
        "limits", limits, "used", used, "sessions", (json_int_t)status->sessions, "leases", (json_int_t)status->leases,
        "segments", (json_int_t)status->segments, "counters", counters_json(&status->counters), "host", host,
        "spill_directory", json_text(status->spill_directory), "away_ms", (json_int_t)status->away_ms, "pool", pool,
        "waiting", (json_int_t)status->waiting, "reserved_bytes", (json_int_t)status->reserved_bytes, "pressure",
        pressure_name(status->pressure), "learned_sizes", (json_int_t)status->remembered, "stuck", stuck_json(status),
        "cut_off", (json_int_t)status->cut_off);
}

static void add_limit(struct libscols_table *table, const char *what, const char *name, uint64_t used, uint64_t limit)
{
    char used_text[CELL_BYTES], limit_text[CELL_BYTES], share[CELL_BYTES] = "-";
    if (limit != LIMIT_OFF && limit != 0) {
        (void)snprintf(share, sizeof share, "%.1f %%", 100.0 * (double)used / (double)limit);
    }
    const char *cells[] = {what, size_to_text(used, used_text), size_to_text(limit, limit_text), share, name};
    table_add(table, cells, 5);
}

static void print_counters(const struct broker_counters *counters)
{
    printf("granted %llu, extended %llu, released %llu, expired %llu, revoked %llu, died %llu, refused %llu\n",
           (unsigned long long)counters->granted, (unsigned long long)counters->extended,
           (unsigned long long)counters->released, (unsigned long long)counters->expired,
           (unsigned long long)counters->revoked, (unsigned long long)counters->died,
           (unsigned long long)counters->refused);
}

/* Segment 0: it is no segment's. */
static void print_stuck(const struct status_reply *status)
{
    char jobs[COUNT_BYTES], bytes[CELL_BYTES];
    printf("stuck: %s; the oldest, for %llu s, ", count_to_text(status->stuck_jobs, "job", jobs),
           (unsigned long long)status->stuck_ms / 1000);
    if (status->stuck_segment) {
        printf("frees or makes segment %llu (%s) of user %u; one of that user's processes may hold it locked\n",
               (unsigned long long)status->stuck_segment, size_to_text(status->stuck_bytes, bytes), status->stuck_user);
    } else {
        printf("is for user %u; one of that user's processes may hold a file locked\n", status->stuck_user);
    }
}

/* What an administrator must not overlook comes first: also whose process it is that holds memory back. */
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
    char sessions[COUNT_BYTES], leases[COUNT_BYTES], segments[COUNT_BYTES];
    printf("membrokerd ");
    text_print(stdout, status->daemon_version);
    printf(" on ");
    text_print(stdout, ctl_socket());
    printf(", process %d, up %llu s: %s, %s, %s\n\n", status->pid, (unsigned long long)status->uptime_ms / 1000,
           count_to_text(status->sessions, "session", sessions), count_to_text(status->leases, "lease", leases),
           count_to_text(status->segments, "segment", segments));
}

static void print_limits(const struct status_reply *status)
{
    static const struct column columns[] = {
        {"MEMORY", false}, {"USED", true}, {"LIMIT", true}, {"SHARE", true}, {"SETTING", false}};
    struct libscols_table *table = table_new(columns, 5);
    add_limit(table, "RAM", "max_physical_bytes", status->used_physical_bytes, status->limits.max_physical_bytes);
    add_limit(table, "mapped files", "max_mapped_bytes", status->used_mapped_bytes, status->limits.max_mapped_bytes);
    add_limit(table, "together", "max_bytes", status->used_bytes, status->limits.max_bytes);
    table_finish(table);
}

static void print_status(const struct status_reply *status)
{
    char total[CELL_BYTES], available[CELL_BYTES], freeing[CELL_BYTES], pooled[CELL_BYTES], reserved[CELL_BYTES],
        control[CELL_BYTES], waiting[COUNT_BYTES];
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
           size_to_text(status->reserved_bytes, reserved), pressure_name(status->pressure),
           (unsigned long long)status->remembered, size_to_text(status->control_bytes, control),
           (unsigned long long)status->cut_off);
    print_counters(&status->counters);
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
        return print_json(status_json(&reply->status), false);
    }
    if (result == CTL_DONE) {
        print_status(&reply->status);
    }
    return result;
}
