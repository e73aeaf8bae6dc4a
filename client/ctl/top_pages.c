/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_pages.h"

#include <string.h>

static bool is_user(const void *entry)
{
    enum usage_kind kind = ((const struct usage_entry *)entry)->kind;
    return kind == USAGE_USER || kind == USAGE_GROUP;
}

static bool is_class(const void *entry)
{
    return !is_user(entry);
}

static const struct page_column user_columns[] = {
    {"kind", "KIND", NULL, 5, 3},
    {"name", "NAME", NULL, 8, 1},
    {"bytes", "HELD", NULL, 10, 1},
    {"LIMIT", "LIMIT", NULL, 14, 2},
    {"physical_bytes", "RAM", NULL, 10, 6},
    {"mapped_bytes", "FILES", NULL, 10, 7},
    {"peak.bytes", "PEAK", NULL, 10, 3},
    {"sessions", "SESS", NULL, 5, 4},
    {"leases", "LEASES", NULL, 7, 2},
    {"waiting.requests", "WAIT", NULL, 5, 2},
    {"waiting.bytes", "WANTED", NULL, 10, 6},
    {"waiting.oldest_ms", "LONGEST", NULL, 9, 5},
    {NULL, "HISTORY", NULL, 10, 1},
};

static const struct page_column class_columns[] = {
    {"kind", "KIND", NULL, 11, 5},
    {"name", "NAME", NULL, 8, 1},
    {"bytes", "HELD", NULL, 10, 1},
    {"LIMIT", "LIMIT", NULL, 14, 2},
    {"reserve_bytes", "RESERVE", NULL, 10, 2},
    {"physical_bytes", "RAM", NULL, 10, 6},
    {"mapped_bytes", "FILES", NULL, 10, 7},
    {"peak.bytes", "PEAK", NULL, 10, 4},
    {"sessions", "SESS", NULL, 5, 4},
    {"leases", "LEASES", NULL, 7, 2},
    {"waiting.requests", "WAIT", NULL, 5, 2},
    {"waiting.bytes", "WANTED", NULL, 10, 6},
    {"waiting.oldest_ms", "LONGEST", NULL, 9, 5},
    {NULL, "HISTORY", NULL, 10, 1},
};

static const struct page_column session_columns[] = {
    {"session", "SESSION", NULL, 8, 1},
    {"client", "CLIENT", NULL, 8, 1},
    {"class", "CLASS", NULL, 9, 3},
    {"user", "USER", "uid", 9, 1},
    {"pid", "PID", NULL, 7, 4},
    {"STATE", "STATE", NULL, 9, 5},
    {"leases", "LEASES", NULL, 7, 2},
    {"physical_bytes", "RAM", NULL, 10, 1},
    {"mapped_bytes", "FILES", NULL, 10, 2},
    {"max_bytes", "LIMIT", NULL, 10, 6},
    {NULL, "HISTORY", NULL, 10, 1},
};

static const struct page_column lease_columns[] = {
    {"lease", "LEASE", NULL, 7, 1},       {"client", "CLIENT", NULL, 8, 1},    {"name", "NAME", NULL, 10, 4},
    {"user", "USER", "uid", 9, 2},        {"pid", "PID", NULL, 7, 6},          {"class", "CLASS", NULL, 9, 5},
    {"bytes", "BYTES", NULL, 10, 1},      {"used_bytes", "USED", NULL, 10, 2}, {"location", "IN", NULL, 4, 2},
    {"remaining_ms", "LEFT", NULL, 9, 2}, {NULL, "HISTORY", NULL, 10, 1},
};

static const struct page_column queue_columns[] = {
    {"place", "PLACE", NULL, 6, 1},       {"session", "SESSION", NULL, 8, 4},  {"client", "CLIENT", NULL, 12, 1},
    {"user", "USER", "uid", 9, 2},        {"class", "CLASS", NULL, 9, 5},      {"bytes", "BYTES", NULL, 10, 1},
    {"location", "IN", NULL, 4, 5},       {"priority", "PRIO", NULL, 5, 5},    {"waited_ms", "WAITED", NULL, 9, 1},
    {"remaining_ms", "LEFT", NULL, 9, 4}, {"whose", "WAITS FOR", NULL, 16, 2}, {"limit", "LIMIT", NULL, 18, 6},
    {NULL, "HISTORY", NULL, 10, 3},
};

static const struct page_column block_columns[] = {
    {"block", "BLOCK", NULL, 6, 6}, {"name", "NAME", NULL, 16, 1},        {"user", "OWNER", "uid", 8, 1},
    {"type", "TYPE", NULL, 8, 3},   {"bytes", "BYTES", NULL, 10, 1},      {"location", "IN", NULL, 4, 4},
    {"views", "VIEWS", NULL, 6, 1}, {"lifetime", "LIFETIME", NULL, 9, 2}, {"access", "ACCESS", NULL, 10, 5},
    {"age_ms", "AGE", NULL, 9, 2},  {"ended", "ENDED", NULL, 24, 5},      {NULL, "HISTORY", NULL, 10, 7},
};

#define COLUMNS(list) .columns = (list), .column_count = sizeof(list) / sizeof *(list), .flexible = 1

const struct page_kind page_kinds[PAGES] = {
    [PAGE_USERS] = {"users", TABLE_USAGE, is_user, COLUMNS(user_columns), .sort = "bytes"},
    [PAGE_CLASSES] = {"classes", TABLE_USAGE, is_class, COLUMNS(class_columns), .sort = "bytes"},
    [PAGE_SESSIONS] = {"sessions", TABLE_SESSIONS, NULL, COLUMNS(session_columns), .sort = "physical_bytes"},
    [PAGE_LEASES] = {"leases", TABLE_LEASES, NULL, COLUMNS(lease_columns), .sort = "bytes"},
    [PAGE_QUEUE] = {"queue", TABLE_QUEUE, NULL, COLUMNS(queue_columns), .sort = "-place"},
    [PAGE_BLOCKS] = {"blocks", TABLE_BLOCKS, NULL, COLUMNS(block_columns), .sort = "bytes"},
};

static const struct listing_kind *listing_of(enum model_table table)
{
    static const struct listing_kind *const listings[TABLES] = {
        [TABLE_USAGE] = &usage_listing, [TABLE_SESSIONS] = &sessions_listing, [TABLE_LEASES] = &leases_listing,
        [TABLE_QUEUE] = &queue_listing, [TABLE_BLOCKS] = &blocks_listing,
    };
    return listings[table];
}

static const struct column *column_with(const struct page_kind *kind, const char *key)
{
    const struct listing_kind *listing = listing_of(kind->table);
    return key ? column_named(listing->columns, listing->column_count, key) : NULL;
}

const struct column *page_column_of(const struct page_kind *kind, int column)
{
    return column_with(kind, kind->columns[column].key);
}

const char *page_cell(const struct page_kind *kind, int column, const struct row *row, char cell[CELL_BYTES])
{
    const struct column *shown = page_column_of(kind, column);
    const struct column *otherwise = column_with(kind, kind->columns[column].otherwise);
    const char *text = shown ? column_cell(shown, row->entry, cell) : "";
    return !*text && otherwise ? column_cell(otherwise, row->entry, cell) : text;
}

bool page_is_number(const struct page_kind *kind, int column)
{
    const struct column *shown = page_column_of(kind, column);
    return shown && column_is_aligned_right(shown);
}

enum page page_named(const char *name)
{
    enum page page = 0;
    while (page < PAGES && strcmp(page_kinds[page].name, name) != 0) {
        page++;
    }
    return page;
}
