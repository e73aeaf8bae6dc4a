/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out what the core decides, and telling it what became of it. */
#include "daemon/runtime/executor.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/os/fault.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/event_log.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/probes.h"
#include "daemon/runtime/server.h"

static void broadcast(struct server *server, struct reply *reply)
{
    struct peer *peer;
    LIST_FOREACH(peer, &server->clients.peers, in_server) {
        if (peer->session && reply->kind == EVENT_PRESSURE) {
            control_write_pressure(&peer->control, reply->pressure);
        }
        if (peer->session) {
            peer_send(peer, reply, -EBADF);
        }
    }
}

static void write_slot(const struct effect_slot *slot)
{
    struct peer *peer = slot->peer;
    control_write(&peer->control, slot);
    if (slot->reason != END_NONE) {
        fdstore_end_view(peer, slot->slot);
    }
}

static void open_session(struct peer *peer, const struct effect_session *session)
{
    peer->session = session->session;
    control_write_pressure(&peer->control, peer->server->pressure.level);
    fdstore_keep_session(peer);
    peer_welcome(peer, session->request_id, false);
}

static void reply_to_peer(struct effect_reply *reply)
{
    struct segment_file *file = reply->segment_handle;
    bool is_attached = file && reply->lending == LENDS_READABLE; /* the segment stays its publisher's */
    if (file && !is_attached) {
        segment_lend(file, identity_charged(&((struct peer *)reply->peer)->identity));
        fdstore_keep_segment(file);
    }
    if (is_attached) {
        fdstore_keep_view(reply->peer, file, reply->reply.attached.lease);
    }
    event_log_reply(reply);
    if (!file) {
        peer_send(reply->peer, &reply->reply, -EBADF);
    } else if (is_attached) {
        peer_send(reply->peer, &reply->reply, file->readable);
    } else if (reply->lending == LENDS_BOTH) {
        peer_send_two(reply->peer, &reply->reply, file->writable, file->readable);
    } else {
        peer_send(reply->peer, &reply->reply, file->fd);
    }
}

static void carry_out(struct server *server, struct effect *effect)
{
    fault_point();
    switch (effect->kind) {
    case EFFECT_MAKE_SEGMENT:
        segment_make(server, &effect->make);
        break;
    case EFFECT_SEAL_SEGMENT:
        segment_seal(&effect->seal);
        break;
    case EFFECT_BLOCK:
        if (effect->block.change == BLOCK_CHANGE_PUBLISHED) {
            fdstore_keep_block(effect->block.segment_handle);
        } else {
            fdstore_note_block_ended(effect->block.segment_handle, effect->block.reason);
        }
        event_log_block(&server->history, &effect->block);
        break;
    case EFFECT_FREE_SEGMENT:
        segment_free(server, &effect->free);
        break;
    case EFFECT_SESSION_OPENED:
        open_session(effect->session.peer, &effect->session);
        break;
    case EFFECT_SESSION_RESUMED:
        peer_welcome(effect->session.peer, effect->session.request_id, true);
        break;
    case EFFECT_REPLY:
        reply_to_peer(&effect->reply);
        break;
    case EFFECT_BROADCAST:
        broadcast(server, &effect->reply.reply);
        break;
    case EFFECT_LEASE_ENDED:
        event_log_ended(&effect->ended);
        break;
    case EFFECT_BOARD_GROW:
        boards_grow(server, &effect->board_grow);
        break;
    case EFFECT_BOARD_WRITE:
        board_write(&effect->board_write);
        break;
    case EFFECT_BOARD_END:
        boards_end(server, &effect->board_end);
        break;
    case EFFECT_RESERVATIONS:
        kept_reservations_save(server);
        event_log_reservations(&server->history, &effect->reservations);
        break;
    case EFFECT_LOOK:
        frozen_look(server, &effect->session);
        break;
    case EFFECT_SLOT:
        write_slot(&effect->slot);
        break;
    case EFFECT_SESSION_OVER:
        fdstore_forget_session(effect->session.peer);
        ((struct peer *)effect->session.peer)->is_over = true;
        peer_hang_up(effect->session.peer);
        break;
    case EFFECT_SESSION_GONE:
        peer_retire(effect->session.peer);
        break;
    }
}

static void step(struct server *server, const struct input *input)
{
    if (server->is_closing) {
        return; /* the peers that the effects would be for are gone */
    }
    assert(!server->executor.is_feeding);
    server->executor.is_feeding = true;
    uint64_t passes = broker_passes(server->broker);
    broker_step(server->broker, input, clock_now(server), &server->executor.effects);
    if (broker_passes(server->broker) != passes) {
        PROBE2(queue__pass, broker_passes(server->broker), server->executor.effects.count);
    }
    for (size_t i = 0; i < server->executor.effects.count; i++) {
        carry_out(server, &server->executor.effects.effects[i]);
    }
    server->executor.is_feeding = false;
}

void executor_settle(struct server *server)
{
    struct segment_file *file;
    while ((file = segments_take_result(&server->segments))) {
        struct input result = {.kind = file->outcome, .segment = file->result};
        if (result.kind != INPUT_SEGMENT_MADE && result.kind != INPUT_SEGMENT_SEALED) {
            segment_forget(file);
        }
        step(server, &result);
    }
    struct input board;
    while (boards_take_result(&server->boards, &board)) {
        step(server, &board);
    }
}

void executor_feed(struct server *server, const struct input *input)
{
    step(server, input);
    executor_settle(server);
}
