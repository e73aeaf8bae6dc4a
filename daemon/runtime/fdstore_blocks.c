/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping blocks and views. Their bytes are kept already, as segments. */
#include <stdlib.h>
#include <string.h>

#include "daemon/os/fault.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/fdstore.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"

static bool is_kept(const struct segment_file *file)
{
    return fdstore_is_active(&file->server->fdstore) && file->record != TABLE_NONE;
}

/* One that is not kept whole is not kept: no later daemon may take it for the segment of a lease. */
void fdstore_keep_block(struct segment_file *file)
{
    struct server *server = file->server;
    struct kept_block kept;
    if (!is_kept(file) || !broker_keep_block(server->broker, segment_id(file), clock_now(server), &kept)) {
        return;
    }
    struct kept_numbers numbers = broker_keep_numbers(server->broker);
    table_keep_numbers(&server->fdstore.table, &numbers);
    fault_point();
    if (table_keep_block(&server->fdstore.table, file->record, &kept, clock_monotonic()) < 0) {
        log_warning("block %llu would not outlive a restart: the table has no room", (unsigned long long)kept.id);
        fdstore_forget_segment(file);
    }
    fault_point();
}

void fdstore_note_block_ended(struct segment_file *file, enum end_reason reason)
{
    if (is_kept(file)) {
        table_note_block_ended(&file->server->fdstore.table, file->record, reason);
        fault_point();
    }
}

/* ---- views ---- */

static bool make_room(struct kept_views *views, uint32_t slot)
{
    if (slot < views->count) {
        return true;
    }
    uint32_t count = 2 * slot + 2;
    uint32_t *records = reallocarray(views->records, count, sizeof *records);
    if (records) {
        memset(records + views->count, 0xff, (count - views->count) * sizeof *records);
        views->records = records;
        views->count = count;
    }
    return records;
}

bool fdstore_note_view(struct peer *peer, uint32_t slot, uint32_t record)
{
    bool has_room = make_room(&peer->views, slot);
    if (has_room) {
        peer->views.records[slot] = record;
    }
    return has_room;
}

void fdstore_keep_view(struct peer *peer, const struct segment_file *file, uint64_t lease)
{
    struct server *server = peer->server;
    struct table *table = &server->fdstore.table;
    struct kept_view kept;
    uint32_t record = TABLE_NONE;
    if (!is_kept(file) || !broker_keep_view(server->broker, lease, &kept)) {
        return;
    }
    struct kept_numbers numbers = broker_keep_numbers(server->broker);
    table_keep_numbers(table, &numbers);
    fault_point();
    if (table_keep_view(table, file->record, &kept, &record) < 0 || !fdstore_note_view(peer, kept.slot, record)) {
        table_forget(table, record);
        table_note_untold(table, file->record);
        log_warning("the view that lease %llu is would not outlive a restart: memory is short",
                    (unsigned long long)lease);
    }
    fault_point();
}

void fdstore_end_view(struct peer *peer, uint32_t slot)
{
    struct kept_views *views = &peer->views;
    if (slot < views->count && views->records[slot] != TABLE_NONE && fdstore_is_active(&peer->server->fdstore)) {
        fault_point();
        table_end_view(&peer->server->fdstore.table, views->records[slot]);
        views->records[slot] = TABLE_NONE;
    }
}
