/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/restoring.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/runtime/clock.h"
#include "daemon/runtime/descriptor_jobs.h"
#include "daemon/runtime/fdstore_names.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"

bool restoring_is_passing(int result)
{
    return result < 0 && result != -EPROTO && result != -ENOENT && result != -EEXIST && result != -EINVAL;
}

int restoring_take(struct restoring *restoring, char kind, uint32_t record)
{
    char name[FDSTORE_NAME_BYTES];
    return service_manager_take_named(restoring->handed, fdstore_name(kind, record, name));
}

void restoring_forget(char kind, uint32_t record)
{
    char name[FDSTORE_NAME_BYTES];
    service_manager_forget(fdstore_name(kind, record, name));
}

struct peer *restoring_peer(const struct server *server, uint64_t session)
{
    return broker_peer_of(server->broker, session);
}

char restoring_letter(const struct kept_segment *kept)
{
    enum location location = location_holds_bytes(kept->location) ? kept->location : LOCATION_FIRST;
    return backend_get(backend_of(location, kept->file[0]))->kept_as;
}

uint32_t restoring_user(const struct server *server, const struct kept_segment *kept)
{
    const struct peer *peer = restoring_peer(server, kept->session);
    return peer ? identity_charged(&peer->identity) : getuid();
}

struct control_slot *restoring_slot(const struct server *server, uint64_t session, uint32_t number, uint64_t generation)
{
    const struct peer *peer = restoring_peer(server, session);
    struct control_slot *slot = peer ? control_slot(&peer->control, number) : NULL;
    return slot && slot->generation == generation ? slot : NULL;
}

/* It is in the ledger until its bytes are freed. NULL: it can't be entered there. */
static struct segment_file *enter_freeing(struct server *server, const struct kept_segment *kept, uint32_t record,
                                          int fd)
{
    struct segment_file *file = NULL;
    int result =
        fd >= 0 ? segment_adopt(server, kept, fd, restoring_user(server, kept), LENDS_WRITABLE, &file) : -ENOENT;
    if (result == 0 && broker_restore_freeing(server->broker, kept, file, clock_now(server)) < 0) {
        segment_disown(file);
        file = NULL;
    }
    if (file) {
        file->is_reported = true; /* the daemon before may have begun to free it: its size says nothing */
        file->record = record;
    }
    return file;
}

bool restoring_free_segment(struct server *server, const struct kept_segment *kept, uint32_t record, int fd)
{
    struct segment_file *file = enter_freeing(server, kept, record, fd);
    if (file) {
        segment_free(server, &(struct effect_free){.segment = kept->id, .handle = file});
    }
    return file;
}

/* One that can't be entered is closed. */
static void close_segment(struct restoring *restoring, const struct kept_segment *kept, uint32_t record, int fd)
{
    char letter = restoring_letter(kept);
    if (fd >= 0) {
        descriptor_end_unexplained(restoring->server, letter, fd);
    }
    table_forget(&restoring->server->fdstore.table, record);
    restoring_forget(letter, record);
}

void restoring_drop_segment(struct restoring *restoring, const struct kept_segment *kept, uint32_t record, int fd)
{
    restoring->dropped++;
    if (!restoring_free_segment(restoring->server, kept, record, fd)) {
        close_segment(restoring, kept, record, fd);
    }
}
