/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl usage */
#include <stdio.h>

#include "client/ctl/listing.h"
#include "client/ctl/users.h"
#include "proto/base/size.h"

static uint64_t host_limit;

void usage_set_host_limit(uint64_t max_bytes)
{
    host_limit = max_bytes;
}

static const char *kind_name(const void *entry, char cell[CELL_BYTES])
{
    static const char *const names[] = {"other", "user", "group", "class", "reservation"};
    enum usage_kind kind = ((const struct usage_entry *)entry)->kind;
    (void)cell;
    return names[kind < sizeof names / sizeof *names ? kind : USAGE_UNSPECIFIED];
}

/* What the configuration calls a user may be a number. */
static const char *name(const void *entry, char cell[CELL_BYTES])
{
    const struct usage_entry *usage = entry;
    const char *name = usage->kind == USAGE_USER ? user_name(usage->id) : "";
    (void)cell;
    return *name ? name : usage->name;
}

static bool id(const void *entry, uint64_t *ret)
{
    const struct usage_entry *usage = entry;
    *ret = usage->id;
    return usage->has_id;
}

static bool has_share(const struct usage_entry *usage, double *ret)
{
    *ret = (double)usage->bytes / (double)host_limit;
    return host_limit && host_limit != LIMIT_OFF;
}

static const char *share(const void *entry, char cell[CELL_BYTES])
{
    double part;
    if (!has_share(entry, &part)) {
        return "";
    }
    (void)snprintf(cell, CELL_BYTES, "%.1f %%", 100.0 * part);
    return cell;
}

static json_t *share_json(const void *entry)
{
    double part;
    return has_share(entry, &part) ? json_real(part) : json_null();
}

/* ---- the limit that is nearest ---- */

struct limit {
    const char *of; /* what it limits, behind its size */
    uint64_t used, bytes;
};

/* A limit of 0 is near only if there is no other: who may have no files is not at a limit for that. */
static bool is_nearer(const struct limit *one, const struct limit *other)
{
    if (one->bytes == LIMIT_OFF || other->bytes == LIMIT_OFF) {
        return other->bytes == LIMIT_OFF && one->bytes != LIMIT_OFF;
    }
    if (!one->bytes || !other->bytes) {
        return one->bytes && !other->bytes;
    }
    double used = (double)one->used / (double)one->bytes, otherwise = (double)other->used / (double)other->bytes;
    return used > otherwise || (used == otherwise && one->bytes < other->bytes);
}

static struct limit nearest_limit(const struct usage_entry *usage)
{
    const struct limit limits[] = {{"", usage->bytes, usage->limits.max_bytes},
                                   {" RAM", usage->physical_bytes, usage->limits.max_physical_bytes},
                                   {" files", usage->mapped_bytes, usage->limits.max_mapped_bytes}};
    struct limit nearest = limits[0];
    for (size_t i = 1; i < sizeof limits / sizeof *limits; i++) {
        nearest = is_nearer(&limits[i], &nearest) ? limits[i] : nearest;
    }
    return nearest;
}

static bool nearest(const void *entry, uint64_t *ret)
{
    *ret = nearest_limit(entry).bytes;
    return *ret != LIMIT_OFF;
}

static const char *nearest_text(const void *entry, char cell[CELL_BYTES])
{
    char bytes[SIZE_TEXT_BYTES];
    struct limit limit = nearest_limit(entry);
    (void)snprintf(cell, CELL_BYTES, "%s%s", size_to_text(limit.bytes, bytes), limit.of);
    return cell;
}

/* ---- what waits, if anything does ---- */

static const char *wanted(const void *entry, char cell[CELL_BYTES])
{
    const struct usage_entry *usage = entry;
    return usage->waiting ? size_to_text(usage->waiting_bytes, cell) : "";
}

static const char *longest(const void *entry, char cell[CELL_BYTES])
{
    const struct usage_entry *usage = entry;
    return usage->waiting ? duration_to_text(usage->waiting_oldest_ms, cell) : "";
}

#define FIELD(name) COLUMN_FIELD(struct usage_entry, name)

static const struct column columns[] = {
    {NULL, "number", COLUMN_NUMBER, FIELD(number)},
    {"KIND", "kind", COLUMN_WORDS, .words = kind_name},
    {"NAME", "name", COLUMN_WORDS, .words = name},
    {"ID", "id", COLUMN_COUNTED, .number = id},
    {"HELD", "bytes", COLUMN_BYTES, FIELD(bytes)},
    {"LIMIT", NULL, COLUMN_COUNTED, .number = nearest, .shown = nearest_text},
    {NULL, "max_bytes", COLUMN_LIMIT, FIELD(limits.max_bytes)},
    {"SHARE", NULL, COLUMN_WORDS, .right = true, .words = share},
    {NULL, "share", COLUMN_JSON, .json = share_json},
    {"RAM", "physical_bytes", COLUMN_BYTES, FIELD(physical_bytes)},
    {"RAM LIMIT", "max_physical_bytes", COLUMN_LIMIT, FIELD(limits.max_physical_bytes)},
    {"RESERVE", "reserve_bytes", COLUMN_BYTES, FIELD(reserve_bytes)},
    {"MAPPED", "mapped_bytes", COLUMN_BYTES, FIELD(mapped_bytes)},
    {NULL, "max_mapped_bytes", COLUMN_LIMIT, FIELD(limits.max_mapped_bytes)},
    {NULL, "freeing_bytes", COLUMN_NUMBER, FIELD(freeing_bytes)},
    {"PEAK", "peak.bytes", COLUMN_BYTES, FIELD(peak_bytes)},
    {NULL, "peak.physical_bytes", COLUMN_NUMBER, FIELD(peak_physical_bytes)},
    {NULL, "peak.mapped_bytes", COLUMN_NUMBER, FIELD(peak_mapped_bytes)},
    {"SESSIONS", "sessions", COLUMN_NUMBER, FIELD(sessions)},
    {"LEASES", "leases", COLUMN_NUMBER, FIELD(leases)},
    {"WAITING", "waiting.requests", COLUMN_NUMBER, FIELD(waiting)},
    {"WANTED", "waiting.bytes", COLUMN_BYTES, FIELD(waiting_bytes), .shown = wanted},
    {"LONGEST", "waiting.oldest_ms", COLUMN_DURATION, FIELD(waiting_oldest_ms), .shown = longest},
    {NULL, "weight", COLUMN_NUMBER, FIELD(weight)},
};

/* Users, groups, classes, reservations. */
static const struct column by_kind = {NULL, NULL, COLUMN_NUMBER, FIELD(kind)};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->usage_count ? &page->usage[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct usage_entry *usage = entry;
    bool is_class = usage->kind == USAGE_CLASS || usage->kind == USAGE_RESERVATION;
    *ret = (struct row_facts){.has_user = usage->kind == USAGE_USER,
                              .uid = usage->id,
                              .class = is_class ? usage->name : NULL,
                              .bytes = usage->bytes};
}

const struct listing_kind usage_listing = {
    .what = LIST_USAGE,
    .name = "usage",
    .none = "nobody has anything, and nobody is named by the configuration",
    .columns = columns,
    .column_count = COLUMNS_COUNT(columns),
    .entry_size = sizeof(struct usage_entry),
    .entry = entry_of,
    .facts = facts_of,
    .usual = {&by_kind, true},
};

int usage_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    struct row_order order;
    if (!ctl_takes(argc, argv, 0) ||
        selection_order(columns, COLUMNS_COUNT(columns), &usage_listing.usual, &order) != CTL_DONE) {
        return CTL_USAGE; /* before the broker is asked */
    }
    int result = ctl_ask(options, &request, &reply);
    if (result != CTL_DONE) {
        return result;
    }
    usage_set_host_limit(reply->status.limits.max_bytes);
    return listing_main(&usage_listing, options, argc, argv);
}
