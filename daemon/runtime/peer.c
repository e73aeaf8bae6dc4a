/* SPDX-License-Identifier: Apache-2.0 */
/* Peers, and the watch on their processes. */
#include "daemon/runtime/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/runtime/process_watch.h"
#include "daemon/runtime/reply.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

struct peer *peer_new(struct server *server, const struct identity *identity)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) {
        return NULL;
    }
    peer->server = server;
    peer->identity = *identity;
    peer->record = peer->name_record = TABLE_NONE;
    LIST_INSERT_HEAD(&server->clients.peers, peer, in_server);
    return peer;
}

static void send_control_page(struct peer *peer, unsigned place)
{
    struct control_memory *memory = peer->control.pages[place];
    struct reply reply = {.kind = EVENT_CONTROL_PAGE};
    reply.control_page = (struct control_page_event){memory->bytes, memory->page->first_slot, memory->slots};
    control_store_note_sent(memory);
    peer_send(peer, &reply, memory->fd);
}

int peer_make_room(struct peer *peer, uint32_t slots)
{
    struct control *control = &peer->control;
    int result = 0;
    while (result == 0 && peer->protocol >= 2 && control_slots(control) < slots) {
        result = control_grow(control, &peer->server->config->clients.control);
        if (result == 0) {
            fdstore_keep_control_page(peer, control->count - 1);
            send_control_page(peer, control->count - 1);
        }
    }
    return result == CONTROL_E_MOST ? 0 : result;
}

struct control_room peer_room(const struct peer *peer)
{
    return (struct control_room){control_slots(&peer->control), control_generation(&peer->control)};
}

void peer_retire(struct peer *peer)
{
    if (!peer->is_retired) {
        peer->is_retired = true;
        LIST_INSERT_HEAD(&peer->server->clients.retired, peer, in_retired);
    }
}

void peer_free(struct peer *peer)
{
    assert(peer->is_retired && !peer->references);
    LIST_REMOVE(peer, in_retired);
    LIST_REMOVE(peer, in_server);
    fdstore_forget_session(peer);
    fdstore_forget_control(peer);
    control_close(&peer->control);
    control_return_soon(peer->server);
    (void)process_watch_end(peer->watch);
    free(peer->views.records);
    free(peer);
}

void peer_send(struct peer *peer, struct reply *reply, int fd)
{
    peer_send_two(peer, reply, fd, -EBADF);
}

void peer_send_two(struct peer *peer, struct reply *reply, int fd, int second)
{
    if (peer->connection) {
        reply_send_two(peer->connection, reply, fd, second);
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
        .leases_survive = fdstore_is_active(&peer->server->fdstore),
    };
    broker_fill_welcome(peer->server->broker, peer->session, &reply.welcome);
    peer->greeted = true;
    if (pages > 0) {
        control_store_note_sent(peer->control.pages[0]);
    }
    peer_send(peer, &reply, pages > 0 ? peer->control.pages[0]->fd : -EBADF);
    for (unsigned place = 1; place < pages; place++) {
        send_control_page(peer, place);
    }
}
