/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl leases */
#include <stdio.h>

#include "client/ctl/listing.h"
#include "client/ctl/users.h"
#include "proto/base/location.h"

static const char *location(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return location_name(((const struct lease_entry *)entry)->location);
}

static const char *charge(const void *entry, char cell[CELL_BYTES])
{
    enum charged_to charged = ((const struct lease_entry *)entry)->charge;
    (void)cell;
    return charged == CHARGE_BROKER ? "broker" : charged == CHARGE_CLIENT ? "client" : "";
}

static bool numa_node(const void *entry, uint64_t *ret)
{
    int32_t node = ((const struct lease_entry *)entry)->numa_node;
    *ret = (uint64_t)node;
    return node >= 0;
}

/* In a table, interleaved pages are on all nodes. */
static const char *node_or_all(const void *entry, char cell[CELL_BYTES])
{
    uint64_t node;
    if (((const struct lease_entry *)entry)->interleaved) {
        return "all";
    }
    if (!numa_node(entry, &node)) {
        return "";
    }
    (void)snprintf(cell, CELL_BYTES, "%llu", (unsigned long long)node);
    return cell;
}

static const char *user_of(const void *entry, char cell[CELL_BYTES])
{
    (void)cell;
    return user_name(((const struct lease_entry *)entry)->uid);
}

#define FIELD(name) COLUMN_FIELD(struct lease_entry, name)

static const struct column columns[] = {
    {"LEASE", "lease", COLUMN_NUMBER, FIELD(lease)},
    {NULL, "session", COLUMN_NUMBER, FIELD(session)},
    {"NAME", "name", COLUMN_TEXT, FIELD(name)},
    {"CLIENT", "client", COLUMN_TEXT, FIELD(client)},
    {NULL, "class", COLUMN_TEXT, FIELD(class)},
    {"PID", "pid", COLUMN_NUMBER, FIELD(pid)},
    {"UID", "uid", COLUMN_NUMBER, FIELD(uid)},
    {"USER", "user", COLUMN_WORDS, .words = user_of, .is_user_name = true},
    {"BYTES", "bytes", COLUMN_BYTES, FIELD(bytes)},
    {"USED", "used_bytes", COLUMN_BYTES, FIELD(used_bytes)},
    {"IN", "location", COLUMN_WORDS, .words = location},
    {"CHARGE", "charge", COLUMN_WORDS, .words = charge},
    {"NODE", NULL, COLUMN_WORDS, .right = true, .words = node_or_all},
    {NULL, "numa_node", COLUMN_COUNTED, .number = numa_node},
    {NULL, "interleaved", COLUMN_FLAG, FIELD(interleaved)},
    {"EXTENTS", "extents", COLUMN_NUMBER, FIELD(extents)},
    {"TTL", "ttl_ms", COLUMN_DURATION, FIELD(ttl_ms)},
    {"REMAINING", "remaining_ms", COLUMN_DURATION, FIELD(remaining_ms)},
    {NULL, "huge_pages", COLUMN_FLAG, FIELD(huge_pages)},
    {NULL, "prefaulted", COLUMN_FLAG, FIELD(prefaulted)},
    {"BLOCK", "block", COLUMN_NUMBER_OR_NONE, FIELD(block)},
};

static const void *entry_of(const struct listing_reply *page, size_t index)
{
    return index < page->lease_count ? &page->leases[index] : NULL;
}

static void facts_of(const void *entry, struct row_facts *ret)
{
    const struct lease_entry *lease = entry;
    *ret = (struct row_facts){
        .has_user = true, .uid = lease->uid, .class = lease->class, .client = lease->client, .bytes = lease->bytes};
}

const struct listing_kind leases_listing = {
    .what = LIST_LEASES,
    .name = "leases",
    .none = "there are no leases",
    .columns = columns,
    .column_count = COLUMNS_COUNT(columns),
    .entry_size = sizeof(struct lease_entry),
    .entry = entry_of,
    .facts = facts_of,
};

int leases_main(const struct ctl_options *options, int argc, char **argv)
{
    return listing_main(&leases_listing, options, argc, argv);
}
