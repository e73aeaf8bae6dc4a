/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl reservations */
#include <stdio.h>

#include "client/ctl/listing.h"
#include "client/ctl/text.h"
#include "client/ctl/users.h"
#include "proto/base/size.h"

static const char *state(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    const struct reservation_entry *reservation = entry;
    return reservation->is_over ? "given up" : reservation->is_suspended ? "suspended" : "active";
}

static bool has_time(const struct reservation_entry *reservation)
{
    return reservation->remaining_ms != UINT64_MAX && !reservation->is_over;
}

static bool held(const void *entry, uint64_t *ret)
{
    const struct reservation_entry *reservation = entry;
    *ret = reservation->held_ms;
    return reservation->is_suspended;
}

static const char *expiry(const void *entry, char cell[CELL_BYTES])
{
    const struct reservation_entry *reservation = entry;
    return has_time(reservation) ? duration_to_text(reservation->remaining_ms, cell) : "";
}

static bool remaining(const void *entry, uint64_t *ret)
{
    const struct reservation_entry *reservation = entry;
    *ret = reservation->remaining_ms;
    return has_time(reservation);
}

static bool user(const void *entry, uint64_t *ret)
{
    *ret = ((const struct reservation_entry *)entry)->uid;
    return ((const struct reservation_entry *)entry)->has_uid;
}

static bool priority(const void *entry, uint64_t *ret)
{
    *ret = ((const struct reservation_entry *)entry)->priority;
    return ((const struct reservation_entry *)entry)->has_priority;
}

static bool weight(const void *entry, uint64_t *ret)
{
    *ret = ((const struct reservation_entry *)entry)->weight;
    return ((const struct reservation_entry *)entry)->has_weight;
}

/* The first one, and how many more; a long path ends in dots. */
static const char *groups(const void *entry, char cell[CELL_BYTES])
{
    char path[42];
    const struct reservation_entry *reservation = entry;
    if (reservation->control_group_count == 0) {
        return "";
    }
    text_shorten(path, sizeof path, reservation->control_groups[0]);
    if (reservation->control_group_count == 1) {
        (void)snprintf(cell, CELL_BYTES, "%s", path);
    } else {
        (void)snprintf(cell, CELL_BYTES, "%s +%zu", path, reservation->control_group_count - 1);
    }
    return cell;
}

static json_t *groups_json(const void *entry)
{
    const struct reservation_entry *reservation = entry;
    json_t *array = json_array();
    for (size_t i = 0; array && i < reservation->control_group_count; i++) {
        (void)json_array_append_new(array, json_string(reservation->control_groups[i]));
    }
    return array;
}

static const char *user_of(const void *entry, char cell[CELL_BYTES])
{
    const struct reservation_entry *reservation = entry;
    (void)cell;
    return reservation->has_uid ? user_name(reservation->uid) : "";
}

#define FIELD(name) COLUMN_FIELD(struct reservation_entry, name)

static const struct column columns[] = {
    {"RESERVATION", "reservation", COLUMN_NUMBER, FIELD(reservation)},
    {"NAME", "name", COLUMN_TEXT, FIELD(name)},
    {"STATE", NULL, COLUMN_WORDS, .words = state},
    {NULL, "given_up", COLUMN_FLAG, FIELD(is_over)},
    {NULL, "suspended", COLUMN_FLAG, FIELD(is_suspended)},
    {NULL, "held_ms", COLUMN_COUNTED, .number = held},
    {"RAM", "bytes", COLUMN_BYTES, FIELD(bytes)},
    {"RAM USED", "used_bytes", COLUMN_BYTES, FIELD(used_bytes)},
    {"MAPPED", "mapped_bytes", COLUMN_BYTES, FIELD(mapped_bytes)},
    {"MAPPED USED", "used_mapped_bytes", COLUMN_BYTES, FIELD(used_mapped_bytes)},
    {"UID", "uid", COLUMN_COUNTED, .number = user},
    {"USER", "user", COLUMN_WORDS, .words = user_of, .is_user_name = true},
    {NULL, "priority", COLUMN_COUNTED, .number = priority},
    {NULL, "weight", COLUMN_COUNTED, .number = weight},
    {"SESSIONS", "sessions", COLUMN_NUMBER, FIELD(sessions)},
    {"LEASES", "leases", COLUMN_NUMBER, FIELD(leases)},
    {"EXPIRES", NULL, COLUMN_WORDS, .right = true, .words = expiry},
    {NULL, "remaining_ms", COLUMN_COUNTED, .number = remaining},
    {"CONTROL GROUPS", NULL, COLUMN_WORDS, .words = groups},
    {NULL, "control_groups", COLUMN_JSON, .json = groups_json},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->reservation_count ? &page->reservations[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct reservation_entry *reservation = entry;
    *ret = (struct row_facts){.has_user = reservation->has_uid,
                              .uid = reservation->uid,
                              .class = reservation->name,
                              .bytes = reservation->bytes};
}

int reservations_main(const struct ctl_options *options, int argc, char **argv)
{
    static const struct listing_kind kind = {.what = LIST_RESERVATIONS,
                                             .name = "reservations",
                                             .none = "there are no reservations",
                                             .columns = columns,
                                             .column_count = COLUMNS_COUNT(columns),
                                             .entry = entry_of,
                                             .facts = facts_of};
    return listing_main(&kind, options, argc, argv);
}
