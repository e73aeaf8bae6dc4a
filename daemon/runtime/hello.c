/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/hello.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/os/peer_identity.h"
#include "daemon/runtime/accept.h"
#include "daemon/runtime/control_groups.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

void hello_refuse_control(struct connection *connection, const struct request *request, int answer)
{
    const struct peer *peer = connection_peer(connection);
    const struct control_bounds *bounds = &connection_server(connection)->config->clients.control;
    uint32_t user = identity_charged(&peer->identity);
    char sentence[MESSAGE_SENTENCE_SIZE], most[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES];
    if (answer == CONTROL_E_USER_FULL) {
        (void)snprintf(sentence, sizeof sentence,
                       "user %u has %s of control pages, and [clients] max_control_bytes_per_user allows %s; end "
                       "sessions, hold fewer leases in each, or raise that",
                       user, size_to_text(control_store_user_bytes(&peer->server->control_store, user), used),
                       size_to_text(bounds->user_bytes_max, most));
    } else if (answer == CONTROL_E_KEPT) {
        (void)snprintf(sentence, sizeof sentence,
                       "%zu control pages of ended sessions are still held by their processes, of %zu that may be, and "
                       "user %u has more than a few; end those processes, or raise LimitNOFILE",
                       peer->server->control_store.kept_count, control_store_kept_max(&peer->server->control_store),
                       user);
    } else {
        (void)snprintf(sentence, sizeof sentence,
                       "all sessions together have %s of control pages, and [clients] max_control_bytes allows %s; "
                       "raise that, or end processes that keep those of ended sessions",
                       size_to_text(peer->server->control_store.bytes, used), size_to_text(bounds->bytes_max, most));
    }
    reply_error(connection, request, ERROR_TOO_MANY, sentence);
}

/* What an earlier hello, which was refused, had made is used now. */
static int prepare_session(struct peer *peer)
{
    struct server *server = peer->server;
    return peer->control.count ? 0
                               : control_open(&peer->control, &server->control_store, identity_charged(&peer->identity),
                                              0, &server->config->clients.control);
}

/* Without a pidfd the number might be another process's by now. -ENOSYS: it is in another pid namespace. */
static int read_control_groups(const struct connection *connection, const char **ret)
{
    const struct identity *identity = &connection_peer(connection)->identity;
    cleanup(fd_closep) int pidfd = peer_identity_pidfd(connection_socket(connection), identity);
    return pidfd < 0 && pidfd != -ENOSYS ? pidfd : control_groups_read(identity->pid, pidfd, ret);
}

static void open_session(struct connection *connection, const struct request *request)
{
    struct peer *peer = connection_peer(connection);
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = peer};
    open.open = (struct input_open){.request_id = request->id, .identity = peer->identity, .hello = request->hello};
    int result = prepare_session(peer);
    if (result > 0) {
        hello_refuse_control(connection, request, result);
        return;
    }
    if (result == 0 && getrandom(&open.open.token, sizeof open.open.token, 0) != sizeof open.open.token) {
        result = -EIO;
    }
    if (result == 0) {
        result = read_control_groups(connection, &open.open.control_groups);
    }
    if (result == -E2BIG) {
        reply_error(connection, request, ERROR_NOT_PERMITTED,
                    "the paths of this process's control groups are too long to tell its class; move it to a group "
                    "that is not nested so deep");
        return;
    }
    if (result < 0) {
        reply_fail(connection, result == -EMFILE || result == -ENFILE ? ERROR_TOO_MANY : ERROR_SYSTEM,
                   "no session could be made for process %d: %s", peer->identity.pid, strerrordesc_np(-result));
        return;
    }
    open.open.room = peer_room(peer);
    executor_feed(peer->server, &open);
}

/* Only the process that opened the session can resume it, with the token, as the same user. */
static void resume_session(struct connection *connection, const struct request *request)
{
    struct peer *peer = connection_peer(connection);
    struct server *server = peer->server;
    struct peer *before =
        broker_find_resumable(server->broker, request->hello.session, &request->hello.token, peer->identity.uid);
    if (!before || before->identity.pid != peer->identity.pid) {
        reply_error(connection, request, ERROR_NO_SUCH_SESSION,
                    "there is no such session to resume: it has ended, or the token is wrong; open a new session");
        return;
    }
    if (peer->protocol < 2 && before->control.count > 1) {
        reply_error(connection, request, ERROR_PROTOCOL_VERSION,
                    "the session has more than one control page, which protocol 1 does not know: resume it with "
                    "protocol 2, or open a new session");
        return;
    }
    before->protocol = peer->protocol;
    accept_resumed(connection, before);
    struct input resumed = {.kind = INPUT_RESUMED, .session = before->session, .peer = before};
    resumed.open.request_id = request->id;
    executor_feed(server, &resumed);
}

/* The newest that both speak. */
static bool agree_on_protocol(struct peer *peer, const struct hello_request *hello)
{
    peer->protocol = hello->protocol_max < PROTOCOL_VERSION ? hello->protocol_max : PROTOCOL_VERSION;
    return peer->protocol >= PROTOCOL_VERSION_OLDEST && peer->protocol >= hello->protocol_min;
}

void hello_serve(struct connection *connection, const struct request *request)
{
    struct peer *peer = connection_peer(connection);
    const struct hello_request *hello = &request->hello;
    if (peer->greeted) {
        reply_fail(connection, ERROR_NOT_GREETED, "a second hello came on one connection");
    } else if (!access_may_connect(&peer->server->config->policy.access, getuid(), &peer->identity)) {
        reply_error(connection, request, ERROR_NOT_PERMITTED,
                    "this user may not use this broker: its configuration ([access]) does not allow it");
    } else if (!agree_on_protocol(peer, hello)) {
        reply_fail(connection, ERROR_PROTOCOL_VERSION,
                   "the client speaks protocol versions %u to %u and this broker (%s) %d to %d; upgrade the older",
                   hello->protocol_min, hello->protocol_max, MEMBROKER_VERSION, PROTOCOL_VERSION_OLDEST,
                   PROTOCOL_VERSION);
    } else if (hello->monitor) {
        peer->is_monitor = true;
        peer_welcome(peer, request->id, false);
    } else if (hello->resume) {
        resume_session(connection, request);
    } else {
        open_session(connection, request);
    }
}
