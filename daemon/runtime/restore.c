/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/open_file.h"
#include "daemon/os/process.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/control_groups.h"
#include "daemon/runtime/descriptor_jobs.h"
#include "daemon/runtime/fdstore_names.h"
#include "daemon/runtime/peer_watch.h"
#include "daemon/runtime/restore_blocks.h"
#include "daemon/runtime/restore_control.h"
#include "daemon/runtime/restoring.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

/* ---- sessions ---- */

static void forget_pages(uint32_t record)
{
    for (unsigned place = 0; place < CONTROL_PAGES_MAX; place++) {
        restoring_forget(fdstore_control_kind(place), record);
    }
}

/* The new pages take the place of those before; where they can't, there are none for a restart, but all goes on. */
static void keep_control(struct peer *peer, uint32_t record)
{
    char name[FDSTORE_NAME_BYTES];
    forget_pages(record);
    for (unsigned place = 0; place < peer->control.count; place++) {
        int result = service_manager_store(fdstore_name(fdstore_control_kind(place), record, name),
                                           peer->control.pages[place]->fd);
        if (result < 0) {
            log_warning("session %llu would not outlive another restart: %s", (unsigned long long)peer->session,
                        strerrordesc_np(-result));
        }
    }
}

static int restore_control_pages(struct restoring *restoring, struct peer *peer, uint32_t record)
{
    int fds[CONTROL_PAGES_MAX];
    for (unsigned place = 0; place < CONTROL_PAGES_MAX; place++) {
        fds[place] = restoring_take(restoring, fdstore_control_kind(place), record);
    }
    int result = restore_control(peer, fds);
    for (unsigned place = 0; place < CONTROL_PAGES_MAX; place++) {
        (void)fd_close(fds[place]);
    }
    return result;
}

static int restore_peer(struct restoring *restoring, struct peer *peer, const struct kept_session *kept,
                        uint32_t record)
{
    struct server *server = restoring->server;
    struct kept_session with_room = *kept;
    int result = restore_control_pages(restoring, peer, record);
    if (result < 0) {
        return result;
    }
    with_room.room = peer_room(peer);
    with_room.room.generation = 0; /* these pages are new, and each slot has its own */
    return broker_restore_session(server->broker, &with_room, peer, clock_now(server));
}

static int restore_session(struct restoring *restoring, const struct kept_session *kept, uint32_t record)
{
    struct peer *peer = peer_new(restoring->server, &kept->identity);
    int result = peer ? restore_peer(restoring, peer, kept, record) : -ENOMEM;
    if (result < 0) {
        if (peer) {
            peer_retire(peer);
        }
        return result;
    }
    peer->session = kept->id;
    peer->greeted = true;
    peer->record = peer->name_record = record;
    keep_control(peer, record);
    return 0;
}

/* Its class goes by where the process is now. */
static int find_control_groups(struct kept_session *kept, uint64_t started_at)
{
    cleanup(fd_closep) int pidfd = started_at ? process_open(kept->identity.pid, started_at) : -ESRCH;
    return control_groups_read(kept->identity.pid, pidfd, &kept->control_groups) < 0 ? -EINVAL : 0;
}

static void restore_sessions(struct restoring *restoring)
{
    struct table *table = &restoring->server->fdstore.table;
    for (uint32_t i = 0; i < table_records(table) && !restoring->failed; i++) {
        struct kept_session kept;
        uint64_t started_at;
        if (!table_read_session(table, i, &kept, &started_at)) {
            continue;
        }
        int result = find_control_groups(&kept, started_at);
        result = result < 0 ? result : restore_session(restoring, &kept, i);
        if (restoring_is_passing(result)) {
            restoring->failed = result;
        } else if (result < 0) {
            log_error("session %llu is lost: %s", (unsigned long long)kept.id, strerrordesc_np(-result));
            table_forget(table, i);
            forget_pages(i);
        } else {
            restoring->sessions++;
        }
    }
}

/* ---- segments ---- */

/* 0: it goes on. Whether it is as it was made, workers see afterwards: its borrower may hold it locked. */
static int check_segment(const struct server *server, const struct kept_segment *kept, int fd)
{
    return fd >= 0 && restoring_slot(server, kept->session, kept->slot, kept->generation) ? 0 : -ENOENT;
}

/* The holder is told why, if the lease had not ended before. */
static void end_slot(const struct server *server, const struct kept_segment *kept, enum end_reason reason)
{
    struct control_slot *slot = restoring_slot(server, kept->session, kept->slot, kept->generation);
    if (slot) {
        atomic_store(&slot->end_reason, (uint32_t)reason);
        atomic_store(&slot->generation, kept->generation + 1);
    }
}

static int restore_lease(struct restoring *restoring, const struct kept_segment *kept, uint32_t record, int fd)
{
    struct server *server = restoring->server;
    struct segment_file *file = NULL;
    int result = check_segment(server, kept, fd);
    if (result < 0) {
        return result;
    }
    result = segment_adopt(server, kept, fd, restoring_user(server, kept),
                           kept->is_publishable ? LENDS_BOTH : LENDS_WRITABLE, &file);
    if (result < 0) {
        return result;
    }
    file->record = record;
    result = broker_restore_segment(server->broker, kept, file, clock_now(server));
    if (result < 0) {
        segment_disown(file);
    }
    return result;
}

static void restore_segment(struct restoring *restoring, const struct kept_segment *kept, uint32_t record)
{
    int fd = restoring_take(restoring, restoring_letter(kept), record);
    int result = restore_lease(restoring, kept, record, fd);
    if (restoring_is_passing(result)) {
        restoring->failed = result;
        (void)fd_close(fd);
    } else if (result < 0) {
        end_slot(restoring->server, kept, END_SHUTDOWN);
        restoring_drop_segment(restoring, kept, record, fd);
    } else {
        restoring->segments++;
    }
}

/* A named file before what its lease grew by: the lease takes the file from its first segment. */
static void restore_segments(struct restoring *restoring, bool are_named)
{
    struct table *table = &restoring->server->fdstore.table;
    for (uint32_t i = 0; i < table_records(table) && !restoring->failed; i++) {
        struct kept_segment kept;
        if (table_read_segment(table, i, &kept) && !kept.file[0] != are_named) {
            restore_segment(restoring, &kept, i);
        }
    }
}

/* ---- what is left ---- */

/* Slots that no lease has now: their generations go on, and say that what was there has
 * ended. */
static void restore_slots(struct server *server, struct peer *peer)
{
    for (uint32_t i = 0; i < control_slots(&peer->control); i++) {
        struct control_slot *slot = control_slot(&peer->control, i);
        uint64_t generation = atomic_load(&slot->generation);
        if (generation == 0 || broker_has_slot(server->broker, peer->session, i)) {
            continue;
        }
        if (generation % 2 == 1) {
            atomic_store(&slot->end_reason, (uint32_t)END_SHUTDOWN);
            atomic_store(&slot->generation, ++generation);
        }
        (void)broker_restore_slot(server->broker, peer->session, i, generation);
    }
}

/* Where a segment without a record lies. LOCATION_UNSPECIFIED: nothing tells. */
static enum location location_of(const struct workshop *workshop, int fd)
{
    char link[sizeof "/proc/self/fd/" + 10], target[512];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0) {
        return LOCATION_UNSPECIFIED;
    }
    target[length] = '\0';
    enum backend_kind kind = backend_with_target(workshop, target);
    FOR_EACH_LOCATION(location)
    {
        if (backend_of(location, false) == kind) {
            return location;
        }
    }
    return LOCATION_UNSPECIFIED;
}

/* A client may still have it mapped, so its bytes count until they are given back. False: they can't be counted. */
static bool free_unexplained(struct server *server, int fd)
{
    struct stat seen;
    enum location location =
        open_file_is_nameless(fd, 0) ? location_of(&server->workers.workshop, fd) : LOCATION_UNSPECIFIED;
    if (location == LOCATION_UNSPECIFIED || fstat(fd, &seen) < 0 || seen.st_size <= 0) {
        return false;
    }
    const struct kept_segment kept = {
        .id = broker_keep_numbers(server->broker).segment + 1, .bytes = (uint64_t)seen.st_size, .location = location};
    return restoring_free_segment(server, &kept, TABLE_NONE, fd);
}

/* A descriptor of ours that no record explains is memory that nobody has. */
static void close_unexplained(struct restoring *restoring)
{
    for (size_t i = 0; i < restoring->handed->count; i++) {
        struct handed_descriptor *handed = &restoring->handed->at[i];
        if (handed->fd < 0 || !fdstore_is_name(handed->name)) {
            continue;
        }
        char letter = handed->name[0];
        const struct backend *backend = backend_kept_as(letter);
        int fd = fd_steal(&handed->fd);
        if (!backend || backend->is_programs || !free_unexplained(restoring->server, fd)) {
            descriptor_end_unexplained(restoring->server, letter, fd);
        }
        service_manager_forget(handed->name);
        restoring->dropped++;
    }
}

static void watch_processes(struct server *server)
{
    for (uint32_t i = 0; i < table_records(&server->fdstore.table); i++) {
        struct kept_session kept;
        uint64_t started_at;
        struct peer *peer =
            table_read_session(&server->fdstore.table, i, &kept, &started_at) ? restoring_peer(server, kept.id) : NULL;
        int result = peer ? peer_watch_again(peer, started_at) : 0;
        if (result < 0 && result != -ESRCH) {
            log_warning("process %d can't be watched (%s): it is known by its connection alone", kept.identity.pid,
                        strerrordesc_np(-result));
        }
        if (result == -ESRCH) {
            struct input died = {.kind = INPUT_DIED, .session = peer->session, .peer = peer};
            executor_feed(server, &died);
        }
    }
}

/* Negative errno: nothing of it is lost, but it takes another daemon. */
static int restore(struct server *server, struct handed_descriptors *handed)
{
    struct restoring restoring = {.server = server, .handed = handed};
    struct kept_numbers numbers = table_read_numbers(&server->fdstore.table);
    struct peer *peer;
    broker_restore_numbers(server->broker, &numbers);
    server->figures.restarts = table_count_restart(&server->fdstore.table);
    restore_sessions(&restoring);
    restore_segments(&restoring, true);
    restore_segments(&restoring, false);
    restore_blocks(&restoring);
    if (restoring.failed) {
        log_error("can't continue with the saved leases: %s%s; leaving them to the next start",
                  strerrordesc_np(-restoring.failed),
                  restoring.failed == -EMFILE ? " (raise LimitNOFILE= of the service)" : "");
        return restoring.failed;
    }
    LIST_FOREACH(peer, &server->clients.peers, in_server) {
        restore_slots(server, peer);
    }
    broker_restore_done(server->broker, clock_now(server));
    fdstore_go_on(&server->fdstore);
    close_unexplained(&restoring);
    watch_processes(server);
    const struct log_about about = {.event = LOG_EVENT_RESTARTED};
    log_line(LOG_LEVEL_INFO, &about,
             "restarted: took over sessions: %zu, segments: %zu, blocks: %zu, views: %zu; closed segments without a "
             "session: "
             "%zu",
             restoring.sessions, restoring.segments, restoring.blocks, restoring.views, restoring.dropped);
    reload_check_blocks(server);
    return 0;
}

/* No table that can be read: what was kept can't be explained, and is given back. */
static int begin(struct server *server, struct handed_descriptors *handed, bool had_one)
{
    struct restoring restoring = {.server = server, .handed = handed};
    if (had_one) {
        log_error("the kept table is damaged or of a later version: every lease of before is lost, and its memory "
                  "given back");
    }
    close_unexplained(&restoring);
    service_manager_forget(FDSTORE_TABLE);
    int result = table_create(&server->fdstore.table);
    if (result == 0) {
        result = service_manager_store(FDSTORE_TABLE, server->fdstore.table.fd);
    }
    return result;
}

int restore_open(struct server *server, struct handed_descriptors *handed)
{
    server->fdstore.table.fd = -EBADF;
    if (!service_manager_is_there()) {
        return 0;
    }
    int fd = service_manager_take_named(handed, FDSTORE_TABLE);
    int result = fd < 0 ? fd : table_open(&server->fdstore.table, fd);
    if (result == 0) {
        return restore(server, handed);
    }
    if (restoring_is_passing(result)) {
        log_error("can't read the saved leases: %s; leaving them to the next start", strerrordesc_np(-result));
        return result;
    }
    result = begin(server, handed, fd >= 0);
    if (result < 0) {
        log_error("can't save anything for a restart: %s", strerrordesc_np(-result));
        table_close(&server->fdstore.table);
    }
    return 0;
}
