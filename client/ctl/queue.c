/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl queue */
#include "client/ctl/listing.h"
#include "client/ctl/users.h"
#include "proto/base/location.h"

static const char *location(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return location_name(((const struct queue_entry *)entry)->location);
}

/* An entry that the user may not see has no session. */
static const char *client(const void *entry, char cell[CELL_BYTES])
{
    const struct queue_entry *queued = entry;
    (void)cell;
    return queued->session ? queued->name : "";
}

static const char *user_of(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct queue_entry *)entry)->uid);
}

#define FIELD(name) COLUMN_FIELD(struct queue_entry, name)

static const struct column columns[] = {
    {"PLACE", "place", COLUMN_NUMBER, FIELD(place)},
    {NULL, "session", COLUMN_NUMBER_OR_NONE, FIELD(session)},
    {NULL, "request", COLUMN_NUMBER_OR_NONE, FIELD(request)},
    {"CLIENT", "client", COLUMN_WORDS, .words = client},
    {"CLASS", "class", COLUMN_TEXT, FIELD(class)},
    {"PID", "pid", COLUMN_NUMBER_OR_NONE, FIELD(pid)},
    {"UID", "uid", COLUMN_NUMBER, FIELD(uid)},
    {"USER", "user", COLUMN_WORDS, .words = user_of, .is_user_name = true},
    {"BYTES", "bytes", COLUMN_BYTES, FIELD(bytes)},
    {"IN", "location", COLUMN_WORDS, .words = location},
    {"PRIORITY", "priority", COLUMN_NUMBER, FIELD(priority)},
    {"WAITED", "waited_ms", COLUMN_DURATION, FIELD(waited_ms)},
    {"LEFT", "remaining_ms", COLUMN_DURATION, FIELD(remaining_ms)},
    {"WAITS FOR", "whose", COLUMN_TEXT, FIELD(whose)},
    {"LIMIT", "limit", COLUMN_TEXT, FIELD(limit)},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->queue_count ? &page->queue[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct queue_entry *queued = entry;
    *ret = (struct row_facts){.has_user = true,
                              .uid = queued->uid,
                              .class = queued->class,
                              .client = queued->session ? queued->name : NULL,
                              .bytes = queued->bytes};
}

const struct listing_kind queue_listing = {
    .what = LIST_QUEUE,
    .name = "queue",
    .none = "no request waits",
    .columns = columns,
    .column_count = COLUMNS_COUNT(columns),
    .entry_size = sizeof(struct queue_entry),
    .entry = entry_of,
    .facts = facts_of,
};

int queue_main(const struct ctl_options *options, int argc, char **argv)
{
    return listing_main(&queue_listing, options, argc, argv);
}
