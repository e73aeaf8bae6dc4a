/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl sessions */
#include <stdio.h>

#include "client/ctl/listing.h"
#include "client/ctl/print.h"
#include "proto/base/size.h"

static json_t *to_json(const struct listing_reply *page, size_t index)
{
    const struct session_entry *entry = &page->sessions[index];
    return json_pack("{s:I,s:o,s:o,s:i,s:i,s:i,s:I,s:I,s:I,s:b,s:I,s:I,s:I,s:o,s:o}", "session",
                     (json_int_t)entry->session, "client", json_text(entry->name), "class", json_text(entry->class),
                     "priority", (int)entry->priority, "weight", (int)entry->weight, "pid", entry->pid, "uid",
                     (json_int_t)entry->uid, "charged_uid", (json_int_t)entry->charged_uid, "gid",
                     (json_int_t)entry->gid, "connected", entry->connected, "leases", (json_int_t)entry->leases,
                     "physical_bytes", (json_int_t)entry->physical_bytes, "mapped_bytes",
                     (json_int_t)entry->mapped_bytes, "max_bytes", json_limit(entry->limits.max_bytes),
                     "max_physical_bytes", json_limit(entry->limits.max_physical_bytes));
}

/* "500001 (1000)": who is charged stands behind. */
static const char *user_cell(const struct session_entry *entry, char cell[CELL_BYTES])
{
    if (entry->charged_uid == entry->uid) {
        return cell_number(entry->uid, cell);
    }
    (void)snprintf(cell, CELL_BYTES, "%u (%u)", entry->uid, entry->charged_uid);
    return cell;
}

static void add_row(struct libscols_table *table, const struct listing_reply *page, size_t index)
{
    const struct session_entry *entry = &page->sessions[index];
    char session[CELL_BYTES], pid[CELL_BYTES], uid[CELL_BYTES], leases[CELL_BYTES], ram[CELL_BYTES], mapped[CELL_BYTES],
        priority[CELL_BYTES];
    const char *cells[] = {
        cell_number(entry->session, session),
        cell_text(entry->name),
        cell_text(entry->class),
        cell_number(entry->priority, priority),
        cell_number((uint64_t)entry->pid, pid),
        user_cell(entry, uid),
        entry->connected ? "connected" : "detached",
        cell_number(entry->leases, leases),
        size_to_text(entry->physical_bytes, ram),
        size_to_text(entry->mapped_bytes, mapped),
    };
    table_add(table, cells, sizeof cells / sizeof *cells);
}

static size_t count(const struct listing_reply *page)
{
    return page->session_count;
}

static uint64_t number(const struct listing_reply *page, size_t index)
{
    return page->sessions[index].session;
}

int sessions_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct column columns[] = {{"SESSION", true}, {"CLIENT", false}, {"CLASS", false}, {"PRIORITY", true},
                                            {"PID", true},     {"UID", true},     {"STATE", false}, {"LEASES", true},
                                            {"RAM", true},     {"MAPPED", true}};
    static const struct listing_kind kind = {
        .what = LIST_SESSIONS,
        .name = "sessions",
        .none = "nobody has a session",
        .columns = columns,
        .column_count = sizeof columns / sizeof *columns,
        .count = count,
        .number = number,
        .to_json = to_json,
        .add_row = add_row,
    };
    return listing_main(&kind, options, argc, argv);
}
