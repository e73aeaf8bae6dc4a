/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request table. What changes the broker goes to its core as an input; what only looks is
 * answered from here.
 */
#include "daemon/runtime/requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/os/named_file.h"
#include "daemon/runtime/audit.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/hello.h"
#include "daemon/runtime/named_requests.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/size.h"
#include "proto/name.h"

/* ---- what the core serves ---- */

/* The slot that a grant takes is there before the core is asked for it. False after an answer. */
static bool make_room(struct connection *connection, const struct request *request)
{
    struct peer *peer = connection_peer(connection);
    bool takes_slot = request->kind == REQUEST_ACQUIRE || request->kind == REQUEST_ATTACH_BLOCK;
    uint32_t wanted = takes_slot && peer->session ? broker_slots_wanted(peer->server->broker, peer->session) : 0;
    int result = peer_make_room(peer, wanted);
    if (result > 0) {
        hello_refuse_control(connection, request, result);
    } else if (result < 0) {
        reply_error(connection, request, ERROR_SYSTEM, "the broker has no memory or descriptor for a control page");
    }
    return result == 0;
}

/* `file_bytes`: of the file that an acquire names, as it is now. */
static void serve_measured(struct connection *connection, const struct request *request, uint64_t file_bytes)
{
    struct peer *peer = connection_peer(connection);
    if (!make_room(connection, request)) {
        return;
    }
    if (request->kind == REQUEST_ACQUIRE || request->kind == REQUEST_EXTEND) {
        host_view_refresh(peer->server, 100 * NANOSECONDS_PER_MILLISECOND);
    }
    struct server *server = peer->server;
    uint64_t session = peer->session;
    struct input input = {.kind = INPUT_REQUEST, .session = peer->session, .peer = peer};
    input.request = (struct input_request){
        .identity = peer->identity, .request = request, .file_bytes = file_bytes, .room = peer_room(peer)};
    executor_feed(server, &input);
    if (request->kind == REQUEST_RENEW) { /* after the answer, which does not wait for it */
        integrity_scan_renewed(server, session);
    }
}

static void serve_by_core(struct connection *connection, const struct request *request)
{
    serve_measured(connection, request, 0);
}

/* A named file's present length is what the core needs to know of it. */
static void measure_file(struct connection *connection, const struct request *request)
{
    int result = named_request_begin(connection, request, serve_measured);
    if (result == -EBUSY) {
        reply_error(
            connection, request, ERROR_BUSY,
            "earlier requests of this user are stuck: a process of the user holds a file, a segment or the files' "
            "directory locked; end that process, and try again");
    } else if (result < 0) {
        reply_error(connection, request, ERROR_SYSTEM, "the broker is out of memory for its own tables");
    }
}

static void serve_acquire(struct connection *connection, const struct request *request)
{
    const char *name = request->acquire.file;
    if (!name[0]) {
        serve_by_core(connection, request);
    } else if (!connection_server(connection)->config->files_directory) {
        reply_error(
            connection, request, ERROR_NOT_SUPPORTED,
            "this broker lets no program name a file: its configuration has no [mapped] files; ask for a nameless one");
    } else if (!named_file_is_valid_name(name)) {
        reply_error(connection, request, ERROR_INVALID,
                    "a file is named without a directory, and its name begins with no dot");
    } else {
        measure_file(connection, request);
    }
}

/* An answer if it fails. */
static bool check_name(struct connection *connection, const struct request *request, const char *name)
{
    const char *fault = name_fault(name);
    if (fault) {
        char sentence[MESSAGE_SENTENCE_SIZE];
        (void)snprintf(sentence, sizeof sentence, "\"%s\" can't be the name of a block or an object: %s", name, fault);
        reply_error(connection, request, ERROR_INVALID, sentence);
    }
    return !fault;
}

static void serve_publish(struct connection *connection, const struct request *request)
{
    if (check_name(connection, request, request->publish.name)) {
        serve_by_core(connection, request);
    }
}

/* If its board must grow first, it is asked for once more when that is done. */
static void serve_put(struct connection *connection, const struct request *request)
{
    if (!check_name(connection, request, request->put.name)) {
        return;
    }
    struct boards *boards = &connection_server(connection)->boards;
    boards->has_grown = false;
    serve_by_core(connection, request);
    if (boards->has_grown && boards->grow_error == 0) {
        serve_by_core(connection, request);
    } else if (boards->has_grown) {
        char sentence[MESSAGE_SENTENCE_SIZE];
        (void)snprintf(sentence, sizeof sentence, "the broker has no memory or descriptor for the user's objects: %s",
                       strerrordesc_np(-boards->grow_error));
        reply_error(connection, request, ERROR_SYSTEM, sentence);
    }
}

static void serve_cancel(struct connection *connection, const struct request *request)
{
    if (named_request_cancel(connection, request->cancel_request)) {
        const struct request cancelled = {.id = request->cancel_request, .kind = REQUEST_ACQUIRE};
        reply_error(connection, &cancelled, ERROR_CANCELLED, "the request was cancelled");
    }
    serve_by_core(connection, request);
}

/* ---- what only looks ---- */

static void serve_status(struct connection *connection, const struct request *request)
{
    const struct peer *peer = connection_peer(connection);
    struct server *server = peer->server;
    struct reply reply = {.kind = REPLY_STATUS};
    char warnings[2 * MESSAGE_SENTENCE_SIZE];
    const struct stuck_work stuck = workers_stuck(&server->workers);
    host_view_refresh(server, NANOSECONDS_PER_SECOND);
    reply.status = (struct status_reply){
        .daemon_version = MEMBROKER_VERSION,
        .pid = getpid(),
        .uptime_ms = (clock_monotonic() - server->clock.started_at) / NANOSECONDS_PER_MILLISECOND,
        .host_total_bytes = server->host_view.host.total_bytes,
        .host_available_bytes = server->host_view.host.available_bytes,
        .spill_directory = server->config->spill_directory,
        .away_ms = server->clock.away / NANOSECONDS_PER_MILLISECOND,
        .control_bytes = server->control_store.bytes,
        .stuck_jobs = stuck.count,
        .stuck_user = stuck.user,
        .stuck_segment = stuck.segment,
        .stuck_bytes = stuck.bytes,
        .stuck_ms = stuck.for_ns / NANOSECONDS_PER_MILLISECOND,
        .cut_off = server->outboxes.cut_off,
    };
    broker_fill_status(server->broker, &reply.status);
    reply.status.objects.got = server->boards.got;
    reply.status.configuration_error = server->reload.notices.error;
    reload_write_warnings(server, warnings, sizeof warnings);
    reply.status.warnings = warnings;
    reply_answer(connection, request, &reply, -EBADF);
}

static void list_history(const struct peer *peer, const struct list_request *list, struct listing_reply *ret)
{
    static struct event_entry events[MESSAGE_EVENTS_MAX];
    static struct sample_entry samples[MESSAGE_SAMPLES_MAX];
    const struct history_viewer viewer = {&peer->server->config->policy.access, getuid(), &peer->identity};
    if (list->what == LIST_EVENTS) {
        history_list(&peer->server->history, &viewer, list, events, ret);
    } else {
        history_list_samples(&peer->server->history, &viewer, list, samples, ret);
    }
}

/* How many entries a page has at most. */
static size_t most_of(const struct list_request *list, size_t fits)
{
    return list->most ? size_min(list->most, fits) : fits;
}

static void serve_list(struct connection *connection, const struct request *request)
{
    static struct session_entry sessions[MESSAGE_SESSIONS_MAX];
    static struct lease_entry leases[MESSAGE_LIST_MAX];
    static struct queue_entry queue[MESSAGE_QUEUE_MAX];
    static struct reservation_entry reservations[MESSAGE_RESERVATIONS_MAX];
    static struct usage_entry usage[MESSAGE_USAGE_MAX];
    static struct block_entry blocks[MESSAGE_BLOCKS_MAX];
    static struct board_entry boards[MESSAGE_BOARDS_MAX];
    const struct peer *peer = connection_peer(connection);
    const struct server *server = peer->server;
    const struct list_request *list = &request->list;
    struct reply reply = {.kind = REPLY_LISTING};
    struct listing_reply *listing = &reply.listing;
    *listing = (struct listing_reply){.sessions = sessions, .leases = leases};
    if (list->what == LIST_QUEUE) {
        listing->queue = queue;
        listing->queue_count = broker_list_queue(server->broker, &peer->identity, list->after, clock_now(server), queue,
                                                 most_of(list, MESSAGE_QUEUE_MAX), &listing->more);
    } else if (list->what == LIST_RESERVATIONS) {
        listing->reservations = reservations;
        listing->reservation_count =
            broker_list_reservations(server->broker, &peer->identity, list->after, clock_now(server), reservations,
                                     most_of(list, MESSAGE_RESERVATIONS_MAX), &listing->more);
    } else if (list->what == LIST_USAGE) {
        listing->usage = usage;
        listing->usage_count = broker_list_usage(server->broker, &peer->identity, list->after, clock_now(server), usage,
                                                 most_of(list, MESSAGE_USAGE_MAX), &listing->more);
    } else if (list->what == LIST_EVENTS || list->what == LIST_SAMPLES) {
        list_history(peer, list, listing);
    } else if (list->what == LIST_SESSIONS) {
        listing->session_count = broker_list_sessions(server->broker, &peer->identity, list->after, clock_now(server),
                                                      sessions, most_of(list, MESSAGE_SESSIONS_MAX), &listing->more);
    } else if (list->what == LIST_BLOCKS) {
        listing->blocks = blocks;
        listing->block_count = broker_list_blocks(server->broker, &peer->identity, list->after, clock_now(server),
                                                  blocks, most_of(list, MESSAGE_BLOCKS_MAX), &listing->more);
    } else if (list->what == LIST_BOARDS) {
        listing->boards = boards;
        listing->board_count = broker_list_boards(server->broker, &peer->identity, list->after, boards,
                                                  most_of(list, MESSAGE_BOARDS_MAX), &listing->more);
    } else {
        uint64_t session = list->what == LIST_OWN_LEASES ? peer->session : 0;
        bool nobody = list->what == LIST_OWN_LEASES && !peer->session;
        listing->lease_count =
            broker_list_leases(server->broker, &peer->identity, session, list->after, clock_now(server), leases,
                               nobody ? 0 : most_of(list, MESSAGE_LIST_MAX), &listing->more);
        listing->more = listing->more && !nobody;
    }
    reply_answer(connection, request, &reply, -EBADF);
}

static void refuse_unknown_session(struct connection *connection, const struct request *request)
{
    char sentence[MESSAGE_SENTENCE_SIZE];
    (void)snprintf(sentence, sizeof sentence,
                   "session %llu is not known: it does not exist, it belongs to another user, or it ended without a "
                   "refusal in the last 10 minutes",
                   (unsigned long long)request->why_session);
    reply_error(connection, request, ERROR_NO_SUCH_SESSION, sentence);
}

static void serve_why(struct connection *connection, const struct request *request)
{
    static struct why_entry entries[MESSAGE_WHY_MAX];
    const struct peer *peer = connection_peer(connection);
    const struct server *server = peer->server;
    struct reply reply = {.kind = REPLY_WHY};
    size_t count = broker_explain(server->broker, &peer->identity, request->why_session, clock_now(server), entries,
                                  MESSAGE_WHY_MAX);
    if (count == 0 && request->why_session &&
        !broker_shows_session(server->broker, &peer->identity, request->why_session)) {
        refuse_unknown_session(connection, request);
        return;
    }
    reply.why = (struct why_reply){entries, count};
    reply_answer(connection, request, &reply, -EBADF);
}

static void serve_get(struct connection *connection, const struct request *request)
{
    const struct peer *peer = connection_peer(connection);
    struct object_place place;
    struct reply reply = {.kind = REPLY_GOT};
    if (!broker_find_object(peer->server->broker, &peer->identity, &request->get, &place)) {
        char sentence[MESSAGE_SENTENCE_SIZE];
        (void)snprintf(sentence, sizeof sentence, "user %u has no object \"%s\", or you may not get it",
                       request->get.has_owner ? request->get.owner : peer->identity.uid, request->get.name);
        reply_error(connection, request, ERROR_NO_SUCH_BLOCK, sentence);
        return;
    }
    peer->server->boards.got++;
    reply.got =
        (struct got_reply){{board_data(place.handle, place.position, place.name_bytes), place.bytes}, place.board};
    reply_answer(connection, request, &reply, -EBADF);
}

static void serve_open_board(struct connection *connection, const struct request *request)
{
    const struct peer *peer = connection_peer(connection);
    struct board_memory *board = broker_find_board(peer->server->broker, &peer->identity, request->open_board.board);
    struct reply reply = {.kind = REPLY_BOARD_PART};
    int fd = board ? board_lend(board, request->open_board.part) : -EBADF;
    if (fd < 0) {
        reply_error(connection, request, ERROR_NO_SUCH_BLOCK, "there is no such part of a board of this user's");
        return;
    }
    reply.board_part.bytes = board_part_bytes(request->open_board.part);
    reply_answer(connection, request, &reply, fd);
}

static void serve_ping(struct connection *connection, const struct request *request)
{
    struct reply reply = {.kind = REPLY_PONG};
    reply_answer(connection, request, &reply, -EBADF);
}

static bool is_administrator(struct connection *connection)
{
    const struct access *access = &connection_server(connection)->config->policy.access;
    return access_is_administrator(access, getuid(), &connection_peer(connection)->identity);
}

/* It costs the daemon much, there is one at a time, and it tells of everybody's. */
static void serve_audit(struct connection *connection, const struct request *request)
{
    if (!is_administrator(connection)) {
        reply_error(connection, request, ERROR_NOT_PERMITTED,
                    "only administrators may audit: root, the broker's own user, and those of [access] admin_users and "
                    "admin_groups");
    } else if (!audit_start(connection, request->id)) {
        reply_error(connection, request, ERROR_TOO_MANY, "another audit is in progress; try again when it is done");
    }
}

static void serve_reload(struct connection *connection, const struct request *request)
{
    struct server *server = connection_server(connection);
    struct reply done = {.kind = REPLY_DONE};
    if (!is_administrator(connection)) {
        reply_error(
            connection, request, ERROR_NOT_PERMITTED,
            "only administrators may have the configuration reloaded: root, the broker's own user, and those of "
            "[access] admin_users and admin_groups");
    } else if (reload(server) < 0) {
        reply_error(connection, request, ERROR_INVALID,
                    server->reload.notices.error ? server->reload.notices.error : "out of memory");
    } else {
        reply_answer(connection, request, &done, -EBADF);
    }
}

static void serve_unknown(struct connection *connection, const struct request *request)
{
    reply_error(connection, request, ERROR_UNKNOWN_REQUEST,
                "this broker (version " MEMBROKER_VERSION ") does not know that request; upgrade it, or do without");
}

/* ---- the table: a request that is missing here does not compile ---- */

static void serve(struct connection *connection, const struct request *request)
{
    switch (request->kind) {
    case REQUEST_HELLO:
        hello_serve(connection, request);
        break;
    case REQUEST_ACQUIRE:
        serve_acquire(connection, request);
        break;
    case REQUEST_EXTEND:
    case REQUEST_RELEASE:
    case REQUEST_RENEW:
    case REQUEST_REVOKE:
    case REQUEST_BYE:
    case REQUEST_TRIMMED:
    case REQUEST_RESERVE:
    case REQUEST_ATTACH:
    case REQUEST_UNRESERVE:
    case REQUEST_SUSPEND:
    case REQUEST_ATTACH_BLOCK:
    case REQUEST_UNPUBLISH:
    case REQUEST_REMOVE:
    case REQUEST_WATCH_BLOCKS:
        serve_by_core(connection, request);
        break;
    case REQUEST_PUBLISH:
        serve_publish(connection, request);
        break;
    case REQUEST_PUT:
        serve_put(connection, request);
        break;
    case REQUEST_GET:
        serve_get(connection, request);
        break;
    case REQUEST_OPEN_BOARD:
        serve_open_board(connection, request);
        break;
    case REQUEST_CANCEL:
        serve_cancel(connection, request);
        break;
    case REQUEST_STATUS:
        serve_status(connection, request);
        break;
    case REQUEST_LIST:
        serve_list(connection, request);
        break;
    case REQUEST_PING:
        serve_ping(connection, request);
        break;
    case REQUEST_AUDIT:
        serve_audit(connection, request);
        break;
    case REQUEST_WHY:
        serve_why(connection, request);
        break;
    case REQUEST_RELOAD:
        serve_reload(connection, request);
        break;
    case REQUEST_METRICS:
        figures_serve(connection, request);
        break;
    case REQUEST_UNKNOWN:
    case REQUEST_KINDS:
        serve_unknown(connection, request);
        break;
    }
}

static bool must_greet_first(struct connection *connection, const struct request *request)
{
    if (request->kind == REQUEST_HELLO || connection_peer(connection)->greeted) {
        return false;
    }
    reply_fail(connection, ERROR_NOT_GREETED, "the first message of a connection must be a hello");
    return true;
}

void requests_serve(struct connection *connection, const struct request *request)
{
    if (connection_server(connection)->fdstore.is_frozen ||
        connection_server(connection)->shutdown.how == SHUTDOWN_HAND_OVER) {
        return; /* the next daemon answers, when the client repeats it */
    }
    if (!must_greet_first(connection, request)) {
        serve(connection, request);
    }
}

void requests_answer_fault(struct connection *connection, const struct request *request, const char *fault)
{
    if (!must_greet_first(connection, request)) {
        reply_error(connection, request, ERROR_INVALID, fault);
    }
}
