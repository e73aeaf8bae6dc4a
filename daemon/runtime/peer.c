/* SPDX-License-Identifier: Apache-2.0 */
/* Peers, and the watch on their processes. */
#include "daemon/runtime/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/os/peer_identity.h"
#include "daemon/os/process.h"
#include "daemon/runtime/connection.h"
#include "daemon/runtime/control_return.h"
#include "daemon/runtime/keeper.h"
#include "daemon/runtime/log.h"
#include "proto/base/cleanup.h"

struct peer *peer_new(struct server *server, const struct identity *identity)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) {
        return NULL;
    }
    peer->server = server;
    peer->identity = *identity;
    peer->pidfd = -EBADF;
    peer->record = peer->name_record = TABLE_NONE;
    LIST_INSERT_HEAD(&server->peers, peer, in_server);
    return peer;
}

static void on_process_end(uv_poll_t *watch, int status, int events)
{
    struct peer *peer = watch->data;
    (void)status;
    (void)events;
    (void)uv_poll_stop(watch);
    log_debug("session %llu: process %d ended", (unsigned long long)peer->session, peer->identity.pid);
    struct input died = {.kind = INPUT_DIED, .session = peer->session, .peer = peer};
    server_feed(peer->server, &died);
}

static int start_watch(struct peer *peer)
{
    if (peer->pidfd < 0) {
        return peer->pidfd;
    }
    int result = uv_poll_init(&peer->server->loop, &peer->watch, peer->pidfd);
    if (result < 0) {
        peer->pidfd = fd_close(peer->pidfd);
        return result;
    }
    peer->watch.data = peer;
    peer->watching = true;
    return uv_poll_start(&peer->watch, UV_READABLE, on_process_end);
}

/* The last descriptors are not for clients. */
static int descriptor_below(int fd, const struct server *server)
{
    if (fd < server->fd_ceiling) {
        return fd;
    }
    (void)close(fd);
    return -EMFILE;
}

/* Watches the process. One that can't be watched is known by its connection alone. */
static int watch_process(struct peer *peer)
{
    peer->pidfd = descriptor_below(peer_pidfd(connection_socket(peer->connection), &peer->identity), peer->server);
    return peer->pidfd == -ENOSYS ? 0 : start_watch(peer);
}

int peer_watch_again(struct peer *peer, uint64_t started_at)
{
    if (peer->identity.pid <= 0 || !started_at) {
        return 0; /* known by its connection alone */
    }
    peer->pidfd = process_open(peer->identity.pid, started_at);
    return start_watch(peer);
}

/* What an earlier hello, which was refused, had made is used now. */
int peer_prepare_session(struct peer *peer)
{
    struct server *server = peer->server;
    int result = peer->control.count
                     ? 0
                     : control_open(&peer->control, &server->control_store, identity_charged(&peer->identity), 0,
                                    &server->config->clients.control);
    return result || peer->watching ? result : watch_process(peer);
}

static void send_control_page(struct peer *peer, unsigned place)
{
    struct control_memory *memory = peer->control.pages[place];
    struct reply reply = {.kind = EVENT_CONTROL_PAGE};
    reply.control_page = (struct control_page_event){memory->bytes, memory->page->first_slot, memory->slots};
    control_memory_note_sent(memory);
    peer_send(peer, &reply, memory->fd);
}

int peer_make_room(struct peer *peer, uint32_t slots)
{
    struct control *control = &peer->control;
    int result = 0;
    while (result == 0 && peer->protocol >= 2 && control_slots(control) < slots) {
        result = control_grow(control, &peer->server->config->clients.control);
        if (result == 0) {
            keeper_keep_control_page(peer, control->count - 1);
            send_control_page(peer, control->count - 1);
        }
    }
    return result == CONTROL_E_MOST ? 0 : result;
}

struct control_room peer_room(const struct peer *peer)
{
    return (struct control_room){control_slots(&peer->control), control_generation(&peer->control)};
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void peer_retire(struct peer *peer)
{
    if (!peer->is_retired) {
        peer->is_retired = true;
        LIST_INSERT_HEAD(&peer->server->retired, peer, in_retired);
    }
}

void peer_free(struct peer *peer)
{
    assert(peer->is_retired && !peer->references);
    LIST_REMOVE(peer, in_retired);
    LIST_REMOVE(peer, in_server);
    keeper_forget_session(peer);
    keeper_forget_control(peer);
    control_close(&peer->control);
    control_return_soon(peer->server);
    if (!peer->watching) {
        free(peer);
        return;
    }
    (void)uv_poll_stop(&peer->watch);
    peer->pidfd = fd_close(peer->pidfd);
    uv_close((uv_handle_t *)&peer->watch, on_watch_closed);
}

void peer_lost_connection(struct peer *peer, const struct connection *connection)
{
    if (peer->connection != connection) {
        return;
    }
    peer->connection = NULL;
    if (peer->session) {
        struct input gone = {.kind = INPUT_DISCONNECTED, .session = peer->session, .peer = peer};
        server_feed(peer->server, &gone);
    } else {
        peer_retire(peer);
    }
}

struct log_about peer_about(const struct peer *peer, enum log_event event, uint64_t lease)
{
    return (struct log_about){.event = event,
                              .lease = lease,
                              .session = peer->session,
                              .has_uid = true,
                              .uid = identity_charged(&peer->identity)};
}

void peer_send(struct peer *peer, struct reply *reply, int fd)
{
    if (peer->connection) {
        connection_send(peer->connection, reply, fd);
    }
}

void peer_read(struct peer *peer)
{
    if (peer->connection) {
        connection_read(peer->connection);
    }
}

void peer_hang_up(struct peer *peer)
{
    if (peer->connection) {
        connection_close(peer->connection);
    }
}

/* A client of protocol 1 maps as much as that says, and looks at no more than it has slots. */
static uint64_t first_page_bytes(const struct peer *peer)
{
    return peer->protocol < 2 || !peer->control.count ? CONTROL_WHOLE_BYTES : peer->control.pages[0]->bytes;
}

void peer_welcome(struct peer *peer, uint64_t request_id, bool resumed)
{
    struct reply reply = {.kind = REPLY_WELCOME, .is_answer = true, .reply_to = request_id};
    unsigned pages = peer->session ? peer->control.count : 0;
    reply.welcome = (struct welcome_reply){
        .protocol = peer->protocol,
        .daemon_version = MEMBROKER_VERSION,
        .resumed = resumed,
        .message_bytes_max = MESSAGE_BYTES_MAX,
        .control_bytes = first_page_bytes(peer),
        .leases_survive = keeper_is_active(peer->server),
    };
    broker_fill_welcome(peer->server->broker, peer->session, &reply.welcome);
    peer->greeted = true;
    if (pages > 0) {
        control_memory_note_sent(peer->control.pages[0]);
    }
    peer_send(peer, &reply, pages > 0 ? peer->control.pages[0]->fd : -EBADF);
    for (unsigned place = 1; place < pages; place++) {
        send_control_page(peer, place);
    }
}
