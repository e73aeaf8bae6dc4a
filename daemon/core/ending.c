/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends leases, sessions and segments. The client's slot says first that the lease has ended. The bytes stay in the
 * ledger until the kernel has them back.
 */
#include "daemon/core/ending.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/answer.h"
#include "daemon/core/host_room.h"
#include "daemon/core/refusal_log.h"
#include "daemon/core/revocable.h"
#include "daemon/core/trim.h"
#include "daemon/core/victim.h"
#include "proto/base/text.h"

static void count_ending(struct broker_counters *counters, enum end_reason reason)
{
    if (reason == END_RELEASED) {
        counters->released++;
    } else if (reason == END_EXPIRED) {
        counters->expired++;
    } else if (reason == END_DIED || reason == END_DISCONNECTED) {
        counters->died++;
    } else {
        counters->revoked++; /* by a user, for a change of its size, or at the broker's end */
    }
}

static void free_segment(struct step *step, struct segment *segment)
{
    if (segment->state == SEGMENT_LIVE && !segment->is_sealing) {
        segment_begin_freeing(step, segment);
        return;
    }
    /* it is being made or sealed, or was made just now: the code that handles its result frees it */
    segment->doomed = true;
    charge_begin_free(&segment->charge);
}

static void note_for_log(struct step *step, const struct lease *lease, const struct effect_cause *cause)
{
    struct effect_ended *ended = &effect_push(step->effects, EFFECT_LEASE_ENDED)->ended;
    *ended = (struct effect_ended){.peer = lease->session->peer,
                                   .lease = lease->id,
                                   .bytes = lease->bytes,
                                   .location = lease->location,
                                   .reason = lease->end_reason,
                                   .cause = *cause};
    text_copy(ended->name, sizeof ended->name, lease->name);
    text_copy(ended->client, sizeof ended->client, lease->session->name);
    text_copy(ended->class, sizeof ended->class, lease->session->share->class->name);
}

/* The client learns of it: from its slot, and by an event unless the ending was its own wish. */
static void announce(struct step *step, const struct lease *lease, uint64_t generation, bool is_own_wish)
{
    const struct session *session = lease->session;
    effect_push(step->effects, EFFECT_SLOT)->slot =
        (struct effect_slot){session->peer, lease->slot, generation, lease->end_reason};
    if (!is_own_wish && session->state == SESSION_CONNECTED) {
        answer_event(step, session->peer, EVENT_LEASE_ENDED)->lease_ended =
            (struct lease_end){lease->id, lease->end_reason};
    }
}

static void end(struct step *step, struct lease *lease, enum end_reason reason, const struct effect_cause *cause,
                bool is_own_wish)
{
    struct broker *broker = step->broker;
    struct session *session = lease->session;
    struct segment *segment;
    bool was_alive = lease->state == LEASE_ALIVE;
    assert(lease->state != LEASE_ENDED);
    if (was_alive) {
        lease_table_retire(&broker->leases, lease);
        count_ending(&broker->counters, reason);
    }
    lease->state = LEASE_ENDED;
    lease->end_reason = reason;
    lease_table_remove(&broker->leases, lease);
    session_remove_lease(session, lease);
    broker->retry_waiting = true; /* a request may wait for max_leases, not for bytes */
    victim_forget(broker, lease);
    revocable_remove(lease);
    uint64_t generation = slot_give(&session->slots, lease->slot);
    if (was_alive) {
        session_bury(session, lease->id, reason);
        announce(step, lease, generation, is_own_wish);
        note_for_log(step, lease, cause);
    }
    TAILQ_FOREACH(segment, &lease->segments, in_lease) {
        free_segment(step, segment);
    }
    if (lease->block) {
        block_leave(step, lease);
    }
    if (TAILQ_EMPTY(&lease->segments)) { /* a view, or what was published: no bytes keep it */
        lease_free(&broker->leases, lease);
    }
}

static const struct effect_cause nobody;

void ending_lease(struct step *step, struct lease *lease, enum end_reason reason)
{
    end(step, lease, reason, &nobody, reason == END_RELEASED);
}

void ending_view(struct step *step, struct lease *view)
{
    end(step, view, view->block->ended, &nobody, false);
}

void ending_revoked(struct step *step, struct lease *lease, const struct effect_cause *cause)
{
    end(step, lease, END_REVOKED, cause, false);
}

/* A session that is over and holds nothing any more is forgotten. */
static void forget_if_empty(struct step *step, struct session *session)
{
    if (session->state == SESSION_OVER && !session->lease_count && !session->segment_count && !session->draining) {
        effect_push(step->effects, EFFECT_SESSION_GONE)->session =
            (struct effect_session){.peer = session->peer, .session = session->id};
        share_leave(&step->broker->principals, session->share);
        session_free(session);
    }
}

void ending_session(struct step *step, struct session *session, enum end_reason reason)
{
    waiting_drop_session(step->broker, session);
    name_wait_drop_session(step->broker, session);
    watch_drop_session(step->broker, session);
    trim_answered(step->broker, session);
    refusal_log_add(step->broker, session);
    share_count_session(session->share, false);
    session_end(&step->broker->sessions, session, reason);
    session->draining = true;
}

void ending_work(struct step *step)
{
    struct broker *broker = step->broker;
    struct session *session;
    while ((session = TAILQ_FIRST(&broker->sessions.over)) && effect_room(step->effects) >= EFFECTS_FOR_ONE_LEASE) {
        struct lease *lease = session_next_lease(session, 0);
        if (lease) {
            ending_lease(step, lease, session->over_reason);
            continue;
        }
        if (object_remove_one_of(step, session)) {
            continue;
        }
        if (session->over_reason == END_RELEASED) {
            answer_to(step, session->peer, session->bye_request, REPLY_DONE);
        }
        /* only now: a client that sees its connection end finds in the slots why each lease ended */
        effect_push(step->effects, EFFECT_SESSION_OVER)->session =
            (struct effect_session){.peer = session->peer, .session = session->id};
        session_drained(&broker->sessions, session);
        session->draining = false;
        forget_if_empty(step, session);
    }
}

/* Takes NULL: the segment was the pool's. One that has not ended goes with the whole broker. */
static void drop_block(struct broker *broker, struct block *block)
{
    if (block) {
        block_table_remove(&broker->blocks, block);
        block_free(broker, block);
    }
}

void ending_drop_segment(struct step *step, struct segment *segment)
{
    struct lease *lease = segment->lease;
    struct session *session = lease ? lease->session : NULL;
    charge_release(&segment->charge);
    segment_tree_remove(step->broker, segment);
    step->broker->retry_waiting = true;
    if (!lease) {
        drop_block(step->broker, segment->block);
        free(segment);
        return;
    }
    TAILQ_REMOVE(&lease->segments, segment, in_lease);
    lease->extents--;
    session_remove_segment(&step->broker->sessions, session);
    free(segment);
    if (lease->state == LEASE_ENDED && TAILQ_EMPTY(&lease->segments)) {
        lease_free(&step->broker->leases, lease);
    }
    forget_if_empty(step, session);
}

void ending_segment_freed(struct step *step, struct segment *segment)
{
    assert(segment->state == SEGMENT_FREEING);
    host_room_uncount(step->broker, segment);
    histogram_note(&step->broker->figures.freeing, step->now - segment->freeing_since);
    ending_drop_segment(step, segment);
}
