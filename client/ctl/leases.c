/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl leases */
#include "client/ctl/listing.h"
#include "client/ctl/print.h"
#include "proto/base/size.h"

static const char *charge_name(enum charged_to charge)
{
    return charge == CHARGE_BROKER ? "broker" : charge == CHARGE_CLIENT ? "client" : "";
}

static json_t *to_json(const struct listing_reply *page, size_t index)
{
    const struct lease_entry *entry = &page->leases[index];
    json_t *node = entry->numa_node < 0 ? json_null() : json_integer(entry->numa_node);
    return json_pack("{s:I,s:I,s:o,s:o,s:i,s:I,s:I,s:I,s:s,s:I,s:I,s:I,s:b,s:o,s:b,s:o,s:b}", "lease",
                     (json_int_t)entry->lease, "session", (json_int_t)entry->session, "name", json_text(entry->name),
                     "client", json_text(entry->client), "pid", entry->pid, "uid", (json_int_t)entry->uid, "bytes",
                     (json_int_t)entry->bytes, "used_bytes", (json_int_t)entry->used_bytes, "location",
                     location_name(entry->location), "extents", (json_int_t)entry->extents, "ttl_ms",
                     (json_int_t)entry->ttl_ms, "remaining_ms", (json_int_t)entry->remaining_ms, "huge_pages",
                     entry->huge_pages, "numa_node", node, "prefaulted", entry->prefaulted, "charge",
                     json_text(charge_name(entry->charge)), "interleaved", entry->interleaved);
}

static const char *numa_name(const struct lease_entry *entry, char *text)
{
    return entry->interleaved ? "all" : entry->numa_node < 0 ? "-" : cell_number((uint64_t)entry->numa_node, text);
}

static void add_row(struct libscols_table *table, const struct listing_reply *page, size_t index)
{
    const struct lease_entry *entry = &page->leases[index];
    char lease[CELL_BYTES], pid[CELL_BYTES], uid[CELL_BYTES], bytes[CELL_BYTES], used[CELL_BYTES], extents[CELL_BYTES],
        ttl[CELL_BYTES], remaining[CELL_BYTES], node[CELL_BYTES];
    const char *cells[] = {
        cell_number(entry->lease, lease),
        cell_text(entry->name),
        cell_text(entry->client),
        cell_number((uint64_t)entry->pid, pid),
        cell_number(entry->uid, uid),
        size_to_text(entry->bytes, bytes),
        size_to_text(entry->used_bytes, used),
        location_name(entry->location),
        cell_text(charge_name(entry->charge)),
        numa_name(entry, node),
        cell_number(entry->extents, extents),
        duration_to_text(entry->ttl_ms, ttl),
        duration_to_text(entry->remaining_ms, remaining),
    };
    table_add(table, cells, sizeof cells / sizeof *cells);
}

static size_t count(const struct listing_reply *page)
{
    return page->lease_count;
}

static uint64_t number(const struct listing_reply *page, size_t index)
{
    return page->leases[index].lease;
}

int leases_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct column columns[] = {{"LEASE", true},    {"NAME", false}, {"CLIENT", false}, {"PID", true},
                                            {"UID", true},      {"BYTES", true}, {"USED", true},    {"IN", false},
                                            {"CHARGE", false},  {"NODE", true},  {"EXTENTS", true}, {"TTL", true},
                                            {"REMAINING", true}};
    static const struct listing_kind kind = {
        .what = LIST_LEASES,
        .name = "leases",
        .none = "nobody holds a lease",
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .count = count,
        .number = number,
        .to_json = to_json,
        .add_row = add_row,
    };
    return listing_main(&kind, options, argc, argv);
}
