/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl sessions */
#include <stdio.h>

#include "client/ctl/listing.h"
#include "client/ctl/text.h"
#include "client/ctl/users.h"

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
    const struct session_entry *session = entry;
    return session->held_ms ? "held" : session->connected ? "connected" : "detached";
}

/* The key of the configuration, or a reservation; of a newer broker it may be one that is not known here. */
static const char *rule(const void *entry, char cell[CELL_BYTES])
{
    static const char *const keys[] = {"", "default", "slices", "users", "groups", "clients", "reservation"};
    enum class_rule number = ((const struct session_entry *)entry)->class_rule;
    (void)cell;
    return number < sizeof keys / sizeof *keys ? keys[number] : "other";
}

/* "slices training.slice"; a long pattern ends in dots. */
static const char *reason(const void *entry, char cell[CELL_BYTES])
{
    char pattern[51];
    const struct session_entry *session = entry;
    text_shorten(pattern, sizeof pattern, session->class_pattern);
    (void)snprintf(cell, CELL_BYTES, "%s%s%s", rule(entry, cell), *pattern ? " " : "", pattern);
    return cell;
}

/* Of the process; who is charged may be another. */
static const char *user_of(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct session_entry *)entry)->uid);
}

#define FIELD(name) COLUMN_FIELD(struct session_entry, name)

static const struct column columns[] = {
    {"SESSION", "session", COLUMN_NUMBER, FIELD(session)},
    {"CLIENT", "client", COLUMN_TEXT, FIELD(name)},
    {"CLASS", "class", COLUMN_TEXT, FIELD(class)},
    {"RULE", NULL, COLUMN_WORDS, .words = reason},
    {NULL, "class_rule", COLUMN_WORDS, .words = rule},
    {NULL, "class_pattern", COLUMN_TEXT, FIELD(class_pattern)},
    {"PRIORITY", "priority", COLUMN_NUMBER, FIELD(priority)},
    {NULL, "weight", COLUMN_NUMBER, FIELD(weight)},
    {"PID", "pid", COLUMN_NUMBER, FIELD(pid)},
    {"UID", NULL, COLUMN_WORDS, .right = true, .words = users},
    {"USER", "user", COLUMN_WORDS, .words = user_of, .is_user_name = true},
    {NULL, "uid", COLUMN_NUMBER, FIELD(uid)},
    {NULL, "charged_uid", COLUMN_NUMBER, FIELD(charged_uid)},
    {NULL, "gid", COLUMN_NUMBER, FIELD(gid)},
    {"STATE", NULL, COLUMN_WORDS, .words = state},
    {NULL, "connected", COLUMN_FLAG, FIELD(connected)},
    {NULL, "held_ms", COLUMN_NUMBER, FIELD(held_ms)},
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

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct session_entry *session = entry;
    *ret = (struct row_facts){.has_user = true,
                              .uid = session->uid,
                              .class = session->class,
                              .client = session->name,
                              .bytes = session->physical_bytes + session->mapped_bytes};
}

const struct listing_kind sessions_listing = {
    .what = LIST_SESSIONS,
    .name = "sessions",
    .none = "there are no sessions",
    .columns = columns,
    .column_count = COLUMNS_COUNT(columns),
    .entry_size = sizeof(struct session_entry),
    .entry = entry_of,
    .facts = facts_of,
};

int sessions_main(const struct ctl_options *options, int argc, char **argv)
{
    return listing_main(&sessions_listing, options, argc, argv);
}
