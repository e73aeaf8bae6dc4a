/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl leases */
#include "client/ctl/ctl.h"
#include "client/ctl/table.h"
#include "proto/base/size.h"

static const char *location_name(enum location location)
{
    return location == LOCATION_RAM ? "ram" : "mmap";
}

static json_t *entry_json(const struct lease_entry *entry)
{
    json_t *node = entry->numa_node < 0 ? json_null() : json_integer(entry->numa_node);
    return json_pack("{s:I,s:I,s:s,s:s,s:i,s:I,s:I,s:I,s:s,s:I,s:I,s:I,s:b,s:o,s:b}", "lease", (json_int_t)entry->lease,
                     "session", (json_int_t)entry->session, "name", entry->name, "client", entry->client, "pid",
                     entry->pid, "uid", (json_int_t)entry->uid, "bytes", (json_int_t)entry->bytes, "used_bytes",
                     (json_int_t)entry->used_bytes, "location", location_name(entry->location), "extents",
                     (json_int_t)entry->extents, "ttl_ms", (json_int_t)entry->ttl_ms, "remaining_ms",
                     (json_int_t)entry->remaining_ms, "huge_pages", entry->huge_pages, "numa_node", node, "prefaulted",
                     entry->prefaulted);
}

static void add_row(struct libscols_table *table, const struct lease_entry *entry)
{
    char lease[CELL_BYTES], pid[CELL_BYTES], uid[CELL_BYTES], bytes[CELL_BYTES], used[CELL_BYTES], extents[CELL_BYTES],
        ttl[CELL_BYTES], remaining[CELL_BYTES];
    const char *cells[] = {
        cell_number(entry->lease, lease),
        entry->name,
        entry->client,
        cell_number((uint64_t)entry->pid, pid),
        cell_number(entry->uid, uid),
        size_to_text(entry->bytes, bytes),
        size_to_text(entry->used_bytes, used),
        location_name(entry->location),
        cell_number(entry->extents, extents),
        duration_to_text(entry->ttl_ms, ttl),
        duration_to_text(entry->remaining_ms, remaining),
    };
    table_add(table, cells, sizeof cells / sizeof *cells);
}

/* Fetches page after page into the array or the table. */
static int collect(const struct ctl_options *options, json_t *array, struct libscols_table *table)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    const struct reply *reply;
    int result;
    do {
        result = ctl_ask(options, &request, &reply);
        for (size_t i = 0; result == CTL_DONE && i < reply->listing.lease_count; i++) {
            const struct lease_entry *entry = &reply->listing.leases[i];
            request.list.after = entry->lease;
            if (array) {
                (void)json_array_append_new(array, entry_json(entry));
            } else {
                add_row(table, entry);
            }
        }
    } while (result == CTL_DONE && reply->listing.more);
    return result;
}

int leases_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct column columns[] = {{"LEASE", true},   {"NAME", false}, {"CLIENT", false},  {"PID", true},
                                            {"UID", true},     {"BYTES", true}, {"USED", true},     {"IN", false},
                                            {"EXTENTS", true}, {"TTL", true},   {"REMAINING", true}};
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    json_t *array = options->json ? json_array() : NULL;
    struct libscols_table *table = options->json ? NULL : table_new(columns, sizeof columns / sizeof *columns);
    int result = collect(options, array, table);
    if (result == CTL_DONE && array) {
        ctl_print_json(json_pack("{s:o}", "leases", array), false);
    } else if (result == CTL_DONE) {
        table_finish(table);
    }
    return result;
}
