/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl sessions */
#include <stdio.h>

#include "client/ctl/listing.h"

/* "500001 (1000)": in parentheses the user who is charged, if it is another one. */
static const char *users(const void *entry, char cell[CELL_BYTES])
{
    const struct session_entry *session = entry;
    if (session->charged_uid == session->uid) {
        (void)snprintf(cell, CELL_BYTES, "%u", session->uid);
    } else {
        (void)snprintf(cell, CELL_BYTES, "%u (%u)", session->uid, session->charged_uid);
    }
    return cell;
}

static const char *state(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return ((const struct session_entry *)entry)->connected ? "connected" : "detached";
}

#define FIELD(name) COLUMN_FIELD(struct session_entry, name)

static const struct column columns[] = {
    {"SESSION", "session", COLUMN_NUMBER, FIELD(session)},
    {"CLIENT", "client", COLUMN_TEXT, FIELD(name)},
    {"CLASS", "class", COLUMN_TEXT, FIELD(class)},
    {"PRIORITY", "priority", COLUMN_NUMBER, FIELD(priority)},
    {NULL, "weight", COLUMN_NUMBER, FIELD(weight)},
    {"PID", "pid", COLUMN_NUMBER, FIELD(pid)},
    {"UID", NULL, COLUMN_WORDS, .right = true, .words = users},
    {NULL, "uid", COLUMN_NUMBER, FIELD(uid)},
    {NULL, "charged_uid", COLUMN_NUMBER, FIELD(charged_uid)},
    {NULL, "gid", COLUMN_NUMBER, FIELD(gid)},
    {"STATE", NULL, COLUMN_WORDS, .words = state},
    {NULL, "connected", COLUMN_FLAG, FIELD(connected)},
    {"LEASES", "leases", COLUMN_NUMBER, FIELD(leases)},
    {"RAM", "physical_bytes", COLUMN_BYTES, FIELD(physical_bytes)},
    {"MAPPED", "mapped_bytes", COLUMN_BYTES, FIELD(mapped_bytes)},
    {NULL, "max_bytes", COLUMN_LIMIT, FIELD(limits.max_bytes)},
    {NULL, "max_physical_bytes", COLUMN_LIMIT, FIELD(limits.max_physical_bytes)},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->session_count ? &page->sessions[index] : NULL;
}

int sessions_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct listing_kind kind = {.what = LIST_SESSIONS,
                                             .name = "sessions",
                                             .none = "there are no sessions",
                                             .columns = columns,
                                             .column_count = COLUMNS_COUNT(columns),
                                             .entry = entry_of};
    return listing_main(&kind, options, argc, argv);
}
