/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl queue */
#include "client/ctl/listing.h"
#include "client/ctl/print.h"
#include "proto/base/size.h"

/* Whose request it is, is not told to everybody: such an entry has no session. */
static json_t *client_json(const struct queue_entry *entry)
{
    return entry->session ? json_text(entry->name) : json_null();
}

static json_t *to_json(const struct listing_reply *page, size_t index)
{
    const struct queue_entry *entry = &page->queue[index];
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:s,s:i,s:I,s:I,s:o,s:o}", "place", (json_int_t)entry->place,
                     "session", json_number(entry->session), "request", json_number(entry->request), "client",
                     client_json(entry), "class", json_text(entry->class), "pid", json_number((uint64_t)entry->pid),
                     "uid", (json_int_t)entry->uid, "bytes", (json_int_t)entry->bytes, "location",
                     location_name(entry->location), "priority", (int)entry->priority, "waited_ms",
                     (json_int_t)entry->waited_ms, "remaining_ms", (json_int_t)entry->remaining_ms, "limit",
                     json_text(entry->limit), "whose", json_text(entry->whose));
}

static void add_row(struct libscols_table *table, const struct listing_reply *page, size_t index)
{
    const struct queue_entry *entry = &page->queue[index];
    char place[CELL_BYTES], pid[CELL_BYTES], uid[CELL_BYTES], bytes[CELL_BYTES], priority[CELL_BYTES],
        waited[CELL_BYTES], remaining[CELL_BYTES];
    const char *cells[] = {
        cell_number(entry->place, place),
        cell_text(entry->name),
        cell_text(entry->class),
        cell_number_or_none((uint64_t)entry->pid, pid),
        cell_number(entry->uid, uid),
        size_to_text(entry->bytes, bytes),
        location_name(entry->location),
        cell_number(entry->priority, priority),
        duration_to_text(entry->waited_ms, waited),
        duration_to_text(entry->remaining_ms, remaining),
        cell_text(entry->whose),
        cell_text(entry->limit),
    };
    table_add(table, cells, sizeof cells / sizeof *cells);
}

static size_t count(const struct listing_reply *page)
{
    return page->queue_count;
}

static uint64_t number(const struct listing_reply *page, size_t index)
{
    return page->queue[index].place;
}

int queue_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct column columns[] = {
        {"PLACE", true}, {"CLIENT", false},  {"CLASS", false}, {"PID", true},  {"UID", true},        {"BYTES", true},
        {"IN", false},   {"PRIORITY", true}, {"WAITED", true}, {"LEFT", true}, {"WAITS FOR", false}, {"LIMIT", false}};
    static const struct listing_kind kind = {
        .what = LIST_QUEUE,
        .name = "queue",
        .none = "nobody waits",
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .count = count,
        .number = number,
        .to_json = to_json,
        .add_row = add_row,
    };
    return listing_main(&kind, options, argc, argv);
}
