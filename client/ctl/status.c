/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl status */
#include <stdio.h>

#include "client/ctl/ctl.h"
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
    return json_pack("{s:i,s:I,s:I,s:I,s:I}", "jobs", (int)status->stuck_jobs, "uid", (json_int_t)status->stuck_user,
                     "segment", (json_int_t)status->stuck_segment, "bytes", (json_int_t)status->stuck_bytes, "for_ms",
                     (json_int_t)status->stuck_ms);
}

static json_t *status_json(const struct status_reply *status)
{
    json_t *limits = json_pack("{s:o,s:o,s:o}", "max_bytes", ctl_json_limit(status->limits.max_bytes),
                               "max_physical_bytes", ctl_json_limit(status->limits.max_physical_bytes),
                               "max_mapped_bytes", ctl_json_limit(status->limits.max_mapped_bytes));
    json_t *used = json_pack("{s:I,s:I,s:I,s:I,s:I}", "bytes", (json_int_t)status->used_bytes, "physical_bytes",
                             (json_int_t)status->used_physical_bytes, "mapped_bytes",
                             (json_int_t)status->used_mapped_bytes, "freeing_bytes", (json_int_t)status->freeing_bytes,
                             "control_bytes", (json_int_t)status->control_bytes);
    json_t *host = json_pack("{s:I,s:I}", "total_bytes", (json_int_t)status->host_total_bytes, "available_bytes",
                             (json_int_t)status->host_available_bytes);
    json_t *pool = json_pack("{s:I,s:I,s:I}", "bytes", (json_int_t)status->pooled_bytes, "hits",
                             (json_int_t)status->pool_hits, "misses", (json_int_t)status->pool_misses);
    return json_pack("{s:s,s:s,s:s,s:s,s:i,s:I,s:o,s:o,s:I,s:I,s:I,s:o,s:o,s:s,s:I,s:o,s:I,s:I,s:s,s:I,s:o,s:I}",
                     "version", status->daemon_version, "socket", ctl_socket(), "configuration_error",
                     status->configuration_error, "warnings", status->warnings, "pid", status->pid, "uptime_ms",
                     (json_int_t)status->uptime_ms, "limits", limits, "used", used, "sessions",
                     (json_int_t)status->sessions, "leases", (json_int_t)status->leases, "segments",
                     (json_int_t)status->segments, "counters", counters_json(&status->counters), "host", host,
                     "spill_directory", status->spill_directory, "away_ms", (json_int_t)status->away_ms, "pool", pool,
                     "waiting", (json_int_t)status->waiting, "reserved_bytes", (json_int_t)status->reserved_bytes,
                     "pressure", pressure_name(status->pressure), "learned_sizes", (json_int_t)status->remembered,
                     "stuck", stuck_json(status), "cut_off", (json_int_t)status->cut_off);
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

/* What an administrator must not overlook comes first: also whose process it is that holds memory back. */
static void print_alarms(const struct status_reply *status)
{
    char bytes[CELL_BYTES];
    if (*status->configuration_error) {
        printf("BAD CONFIGURATION, the broker runs with earlier settings: ");
        text_print(stdout, status->configuration_error);
        (void)putchar('\n');
    }
    ctl_print_warnings(status->warnings);
    if (status->stuck_jobs) {
        printf("stuck: %u jobs; the oldest, for %llu s, is segment %llu (%s) of user %u, a process of whom may hold it "
               "locked\n",
               status->stuck_jobs, (unsigned long long)status->stuck_ms / 1000,
               (unsigned long long)status->stuck_segment, size_to_text(status->stuck_bytes, bytes), status->stuck_user);
    }
}

static void print_status(const struct status_reply *status)
{
    static const struct column columns[] = {
        {"MEMORY", false}, {"USED", true}, {"LIMIT", true}, {"SHARE", true}, {"SETTING", false}};
    char total[CELL_BYTES], available[CELL_BYTES], freeing[CELL_BYTES], pooled[CELL_BYTES], reserved[CELL_BYTES],
        control[CELL_BYTES];
    print_alarms(status);
    printf("membrokerd ");
    text_print(stdout, status->daemon_version);
    printf(" on ");
    text_print(stdout, ctl_socket());
    printf(", process %d, up %llu s: sessions %llu, leases %llu, segments %llu\n\n", status->pid,
           (unsigned long long)status->uptime_ms / 1000, (unsigned long long)status->sessions,
           (unsigned long long)status->leases, (unsigned long long)status->segments);
    struct libscols_table *table = table_new(columns, 5);
    add_limit(table, "RAM", "max_physical_bytes", status->used_physical_bytes, status->limits.max_physical_bytes);
    add_limit(table, "mapped files", "max_mapped_bytes", status->used_mapped_bytes, status->limits.max_mapped_bytes);
    add_limit(table, "together", "max_bytes", status->used_bytes, status->limits.max_bytes);
    table_finish(table);
    printf("\nof that being freed: %s\nhost: %s in all, %s available now; files in ",
           size_to_text(status->freeing_bytes, freeing), size_to_text(status->host_total_bytes, total),
           size_to_text(status->host_available_bytes, available));
    text_print(stdout, status->spill_directory);
    (void)putchar('\n');
    printf("waiting: %llu requests; pool: %s ready, %llu hits, %llu misses; reserved and not in use: %s\n"
           "memory pressure: %s; learned sizes: %llu; control pages: %s; clients cut off: %llu\n",
           (unsigned long long)status->waiting, size_to_text(status->pooled_bytes, pooled),
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
        return ctl_print_json(status_json(&reply->status), false);
    }
    if (result == CTL_DONE) {
        print_status(&reply->status);
    }
    return result;
}
