/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept while the daemon runs. */
#include "daemon/runtime/fdstore.h"

#include <errno.h>
#include <string.h>

#include "daemon/os/fault.h"
#include "daemon/os/process.h"
#include "daemon/runtime/fdstore_names.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"

bool fdstore_is_active(const struct fdstore *fdstore)
{
    return fdstore->table.header && !fdstore->is_frozen;
}

void fdstore_freeze(struct fdstore *fdstore)
{
    fdstore->is_frozen = true;
}

void fdstore_go_on(struct fdstore *fdstore)
{
    fdstore->names = table_count_named(&fdstore->table);
}

void fdstore_close(struct fdstore *fdstore)
{
    table_close(&fdstore->table);
}

static void complain(const char *what, uint64_t id, int error)
{
    log_warning("%s %llu would not outlive a restart: %s", what, (unsigned long long)id, strerrordesc_np(-error));
}

/* Takes a record and stores the descriptor under its name; the record is still to be filled. TABLE_NONE: it can't be.
 */
static uint32_t store(struct server *server, char kind, int fd, const char *what, uint64_t id)
{
    char name[FDSTORE_NAME_BYTES];
    uint32_t record = TABLE_NONE;
    struct kept_numbers numbers = broker_keep_numbers(server->broker);
    table_keep_numbers(&server->fdstore.table, &numbers);
    int result = table_reserve(&server->fdstore.table, &record);
    if (result == 0 && (record >= FDSTORE_NUMBERS_MAX || server->fdstore.names >= FDSTORE_NAMES_MAX)) {
        result = -ENOSPC;
    }
    fault_point();
    if (result == 0) {
        result = service_manager_store(fdstore_name(kind, record, name), fd);
    }
    fault_point();
    if (result < 0) {
        table_forget(&server->fdstore.table, record);
        complain(what, id, result);
        return TABLE_NONE;
    }
    server->fdstore.names++;
    return record;
}

void fdstore_keep_session(struct peer *peer)
{
    struct server *server = peer->server;
    struct kept_session kept;
    if (fdstore_is_active(&server->fdstore) && broker_keep_session(server->broker, peer->session, &kept)) {
        peer->record = peer->name_record =
            store(server, FDSTORE_CONTROL, peer->control.pages[0]->fd, "session", peer->session);
        if (peer->record != TABLE_NONE) {
            table_keep_session(&server->fdstore.table, peer->record, &kept, process_started_at(kept.identity.pid));
        }
    }
}

void fdstore_keep_control_page(struct peer *peer, unsigned place)
{
    char name[FDSTORE_NAME_BYTES];
    if (!fdstore_is_active(&peer->server->fdstore) || peer->record == TABLE_NONE) {
        return;
    }
    fault_point();
    int result = service_manager_store(fdstore_name(fdstore_control_kind(place), peer->record, name),
                                       peer->control.pages[place]->fd);
    fault_point();
    if (result < 0) {
        complain("a control page of session", peer->session, result);
    }
}

void fdstore_keep_segment(struct segment_file *file)
{
    struct server *server = file->server;
    struct kept_segment kept;
    if (fdstore_is_active(&server->fdstore) && file->record == TABLE_NONE &&
        broker_keep_segment(server->broker, segment_id(file), &kept)) {
        file->record = store(server, segment_backend(file)->kept_as, file->fd, "segment", segment_id(file));
        if (file->record != TABLE_NONE) {
            table_keep_segment(&server->fdstore.table, file->record, &kept);
        }
    }
}

/* The record is free for another only when its name is, too: in fdstore_forget_control(). */
void fdstore_forget_session(struct peer *peer)
{
    if (fdstore_is_active(&peer->server->fdstore) && peer->record != TABLE_NONE) {
        fault_point();
        table_invalidate(&peer->server->fdstore.table, peer->record);
        fault_point();
        peer->record = TABLE_NONE;
    }
}

void fdstore_forget_control(struct peer *peer)
{
    char name[FDSTORE_NAME_BYTES];
    if (fdstore_is_active(&peer->server->fdstore) && peer->name_record != TABLE_NONE) {
        for (unsigned place = 0; place < peer->control.count; place++) {
            service_manager_forget(fdstore_name(fdstore_control_kind(place), peer->name_record, name));
        }
        table_forget(&peer->server->fdstore.table, peer->name_record);
        peer->server->fdstore.names--;
        peer->name_record = TABLE_NONE;
    }
}

void fdstore_forget_segment(struct segment_file *file)
{
    char name[FDSTORE_NAME_BYTES];
    if (fdstore_is_active(&file->server->fdstore) && file->record != TABLE_NONE) {
        fault_point();
        table_forget(&file->server->fdstore.table, file->record);
        fault_point();
        service_manager_forget(fdstore_name(segment_backend(file)->kept_as, file->record, name));
        file->server->fdstore.names--;
        file->record = TABLE_NONE;
    }
}
