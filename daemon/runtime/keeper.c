/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept while the daemon runs. */
#include "daemon/runtime/keeper.h"

#include <stdio.h>
#include <string.h>

#include "daemon/os/fault.h"
#include "daemon/os/process.h"
#include "daemon/runtime/keeper_names.h"
#include "daemon/runtime/log.h"

bool keeper_is_active(const struct server *server)
{
    return server->table.header && !server->is_frozen;
}

void keeper_freeze(struct server *server)
{
    server->is_frozen = true;
}

void keeper_close(struct server *server)
{
    table_close(&server->table);
}

static void complain(const struct server *server, const char *what, uint64_t id, int error)
{
    (void)server;
    log_warning("%s %llu would not outlive a restart: %s", what, (unsigned long long)id, strerrordesc_np(-error));
}

void keeper_keep_session(struct peer *peer)
{
    struct server *server = peer->server;
    struct kept_session kept;
    char name[KEEPER_NAME_BYTES];
    if (!keeper_is_active(server) || !broker_keep_session(server->broker, peer->session, &kept)) {
        return;
    }
    struct kept_numbers numbers = broker_keep_numbers(server->broker);
    table_keep_numbers(&server->table, &numbers);
    fault_point();
    int result = service_manager_store(keeper_name(KEEPER_CONTROL, peer->session, name), peer->control.fd);
    fault_point();
    if (result == 0) {
        result = table_keep_session(&server->table, &kept, process_started_at(kept.identity.pid), &peer->record);
    }
    if (result < 0) {
        complain(server, "session", peer->session, result);
    }
}

void keeper_keep_segment(struct segment_file *file)
{
    struct server *server = file->server;
    struct kept_segment kept;
    char name[KEEPER_NAME_BYTES];
    if (!keeper_is_active(server) || file->record != TABLE_NONE ||
        !broker_keep_segment(server->broker, file->id, &kept)) {
        return;
    }
    struct kept_numbers numbers = broker_keep_numbers(server->broker);
    table_keep_numbers(&server->table, &numbers);
    fault_point();
    int result = service_manager_store(keeper_name(keeper_kind(file), file->id, name), file->fd);
    fault_point();
    if (result == 0) {
        result = table_keep_segment(&server->table, &kept, &file->record);
    }
    if (result < 0) {
        complain(server, "segment", file->id, result);
    }
}

void keeper_forget_session(struct peer *peer)
{
    if (keeper_is_active(peer->server) && peer->record != TABLE_NONE) {
        fault_point();
        table_forget(&peer->server->table, peer->record);
        fault_point();
        peer->record = TABLE_NONE;
    }
}

void keeper_forget_control(const struct peer *peer)
{
    char name[KEEPER_NAME_BYTES];
    if (keeper_is_active(peer->server) && peer->session) {
        service_manager_forget(keeper_name(KEEPER_CONTROL, peer->session, name));
    }
}

void keeper_forget_segment(struct segment_file *file)
{
    char name[KEEPER_NAME_BYTES];
    if (keeper_is_active(file->server) && file->record != TABLE_NONE) {
        fault_point();
        table_forget(&file->server->table, file->record);
        fault_point();
        service_manager_forget(keeper_name(keeper_kind(file), file->id, name));
        file->record = TABLE_NONE;
    }
}
