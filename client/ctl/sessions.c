/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl sessions */
#include "client/ctl/ctl.h"
#include "client/ctl/table.h"
#include "proto/base/size.h"

static json_t *entry_json(const struct session_entry *entry)
{
    return json_pack("{s:I,s:s,s:i,s:I,s:I,s:b,s:I,s:I,s:I,s:o,s:o}", "session", (json_int_t)entry->session, "name",
                     entry->name, "pid", entry->pid, "uid", (json_int_t)entry->uid, "gid", (json_int_t)entry->gid,
                     "connected", entry->connected, "leases", (json_int_t)entry->leases, "physical_bytes",
                     (json_int_t)entry->physical_bytes, "mapped_bytes", (json_int_t)entry->mapped_bytes, "max_bytes",
                     ctl_json_limit(entry->limits.max_bytes), "max_physical_bytes",
                     ctl_json_limit(entry->limits.max_physical_bytes));
}

static void add_row(struct libscols_table *table, const struct session_entry *entry)
{
    char session[CELL_BYTES], pid[CELL_BYTES], uid[CELL_BYTES], leases[CELL_BYTES], ram[CELL_BYTES], mapped[CELL_BYTES];
    const char *cells[] = {
        cell_number(entry->session, session),        entry->name,
        cell_number((uint64_t)entry->pid, pid),      cell_number(entry->uid, uid),
        entry->connected ? "connected" : "detached", cell_number(entry->leases, leases),
        size_to_text(entry->physical_bytes, ram),    size_to_text(entry->mapped_bytes, mapped),
    };
    table_add(table, cells, sizeof cells / sizeof *cells);
}

/* Fetches page after page into the array or the table. */
static int collect(const struct ctl_options *options, json_t *array, struct libscols_table *table)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_SESSIONS}};
    const struct reply *reply;
    int result;
    do {
        result = ctl_ask(options, &request, &reply);
        for (size_t i = 0; result == CTL_DONE && i < reply->listing.session_count; i++) {
            const struct session_entry *entry = &reply->listing.sessions[i];
            request.list.after = entry->session;
            if (array) {
                (void)json_array_append_new(array, entry_json(entry));
            } else {
                add_row(table, entry);
            }
        }
    } while (result == CTL_DONE && reply->listing.more);
    return result;
}

int sessions_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct column columns[] = {{"SESSION", true}, {"NAME", false},  {"PID", true}, {"UID", true},
                                            {"STATE", false},  {"LEASES", true}, {"RAM", true}, {"MAPPED", true}};
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    json_t *array = options->json ? json_array() : NULL;
    struct libscols_table *table = options->json ? NULL : table_new(columns, sizeof columns / sizeof *columns);
    int result = collect(options, array, table);
    if (result == CTL_DONE && array) {
        ctl_print_json(json_pack("{s:o}", "sessions", array), false);
    } else if (result == CTL_DONE) {
        table_finish(table);
    }
    return result;
}
