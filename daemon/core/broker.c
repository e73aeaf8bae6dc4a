/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the broker, and the dispatch of its inputs. A step ends with what the input left to be done: endings, a
 * pass over the queue, revocations, work on the pool.
 */
#include "daemon/core/broker.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/block_work.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/configure.h"
#include "daemon/core/earliest.h"
#include "daemon/core/ending.h"
#include "daemon/core/expiry.h"
#include "daemon/core/grant.h"
#include "daemon/core/grant_failed.h"
#include "daemon/core/hold.h"
#include "daemon/core/host_room.h"
#include "daemon/core/publish.h"
#include "daemon/core/queue.h"
#include "daemon/core/requests.h"
#include "daemon/core/reservations.h"
#include "daemon/core/revoke.h"
#include "daemon/core/sessions.h"

struct broker *broker_new(const struct broker_options *options)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (!broker) {
        return NULL;
    }
    broker->forecast = calloc(EARLIEST_REMEMBERED, sizeof *broker->forecast);
    broker->options = *options;
    LIST_INIT(&broker->reserves);
    account_init(&broker->host, "host", &options->settings.limits);
    broker->host.reserves = &broker->reserves;
    session_table_init(&broker->sessions);
    lease_table_init(&broker->leases);
    RB_INIT(&broker->segments);
    TAILQ_INIT(&broker->revoking);
    TAILQ_INIT(&broker->spared);
    TAILQ_INIT(&broker->trimming);
    learned_table_init(&broker->learned);
    block_table_init(&broker->blocks);
    board_table_init(&broker->boards);
    TAILQ_INIT(&broker->name_waits);
    watch_table_init(&broker->watches, options->first_revision);
    TAILQ_INIT(&broker->promised);
    pool_init(broker);
    if (principal_table_init(&broker->principals, &broker->host) < 0 ||
        reservation_table_init(&broker->reservations, options->settings.policy) < 0 ||
        reservation_apply(&broker->reservations, &broker->principals) < 0 || !broker->forecast) {
        return broker_free(broker);
    }
    broker->options.settings.policy = NULL; /* the reservations have a copy */
    broker->next_session = broker->next_lease = broker->next_segment = broker->next_block = broker->next_board = 1;
    broker->host_epoch = 1; /* 0 is that of what was restored: it is in the host's figures already */
    broker->host_available_bytes = broker->host_total_bytes = UINT64_MAX; /* until the first look */
    return broker;
}

struct broker *broker_free(struct broker *broker)
{
    if (!broker) {
        return NULL;
    }
    struct effect_list *final_effects = &broker->final_effects;
    struct step step = {.broker = broker, .effects = final_effects};
    struct session *session;
    struct segment *segment;
    while ((session = session_table_next(&broker->sessions, 0))) {
        final_effects->count = 0;
        ending_session(&step, session, END_SHUTDOWN);
    }
    while (!TAILQ_EMPTY(&broker->sessions.over)) {
        final_effects->count = 0;
        ending_work(&step);
    }
    while ((segment = segment_tree_next(broker, 0))) {
        final_effects->count = 0;
        if (segment->state == SEGMENT_MAKING) {
            segment_end_making(broker, segment);
        }
        ending_drop_segment(&step, segment);
    }
    board_table_deinit(broker);
    learned_table_deinit(&broker->learned);
    principal_table_deinit(&broker->principals);
    reservation_table_deinit(&broker->reservations);
    free(broker->forecast);
    free(broker);
    return NULL;
}

/* ---- inputs ---- */

static void shut_down(struct step *step)
{
    struct broker *broker = step->broker;
    struct session *session;
    broker->shutting_down = true;
    while ((session = session_table_next(&broker->sessions, 0))) {
        ending_session(step, session, END_SHUTDOWN);
    }
    effect_push(step->effects, EFFECT_BROADCAST)->reply.reply = (struct reply){.kind = EVENT_SHUTTING_DOWN};
}

/* ---- segments: one without a lease is the pool's ---- */

static void handle_made(struct step *step, struct segment *segment, const struct input_segment *made)
{
    assert(segment);
    segment_end_making(step->broker, segment);
    if (segment->lease) {
        grant_made(step, segment, made);
    } else {
        pool_made(step, segment, made);
    }
}

static void handle_failed(struct step *step, struct segment *segment, const struct input_segment *failed)
{
    assert(segment);
    segment_end_making(step->broker, segment);
    if (segment->lease) {
        grant_failed(step, segment, failed);
    } else {
        pool_failed(step, segment);
    }
}

static void handle_tampered(struct step *step, const struct segment *segment)
{
    assert(segment);
    if (segment->lease && segment->state == SEGMENT_LIVE) {
        ending_lease(step, segment->lease, END_TAMPERED);
        step->broker->figures.tampered++;
    }
}

/* ---- the machine ---- */

/* The pool gives up what it has, as long as this lasts; clients decide for themselves. */
static void handle_pressure(struct step *step, enum pressure level)
{
    struct broker *broker = step->broker;
    if (level == broker->pressure) {
        return;
    }
    broker->pressure = level;
    broker->retry_waiting = true;
    struct reply *reply = &effect_push(step->effects, EFFECT_BROADCAST)->reply.reply;
    *reply = (struct reply){.kind = EVENT_PRESSURE};
    reply->pressure = level;
}

/* What happens to a session that is over, or to a segment that is gone, is nothing any more. */
static void handle(struct step *step, const struct input *input)
{
    struct broker *broker = step->broker;
    struct session *session = session_table_find(&broker->sessions, input->session);
    struct segment *segment = input_is_about_segment(input->kind) ? segment_find(broker, input->segment.segment) : NULL;
    if ((input_is_about_session(input->kind) && !session) || (input_is_about_segment(input->kind) && !segment)) {
        return;
    }
    switch (input->kind) {
    case INPUT_OPEN_SESSION:
        sessions_open(step, input);
        break;
    case INPUT_REQUEST:
        requests_handle(step, input, session);
        break;
    case INPUT_RESUMED:
        sessions_resume(step, session, input->open.request_id);
        break;
    case INPUT_DISCONNECTED:
        sessions_disconnect(step, session);
        break;
    case INPUT_DIED:
        ending_session(step, session, END_DIED);
        break;
    case INPUT_READ:
        session->input_read_at = step->now;
        break;
    case INPUT_SEGMENT_MADE:
        handle_made(step, segment, &input->segment);
        break;
    case INPUT_SEGMENT_FAILED:
        handle_failed(step, segment, &input->segment);
        break;
    case INPUT_SEGMENT_SEALED:
        publish_sealed(step, segment, input->segment.error);
        break;
    case INPUT_SEGMENT_FREED:
        ending_segment_freed(step, segment);
        break;
    case INPUT_SEGMENT_TAMPERED:
        handle_tampered(step, segment);
        break;
    case INPUT_BOARD_GROWN:
        board_grown(step, &input->board);
        break;
    case INPUT_BOARD_FREED:
        board_freed(step, &input->board);
        break;
    case INPUT_HOST_MEMORY:
        host_room_update(broker, &input->host);
        break;
    case INPUT_PRESSURE:
        handle_pressure(step, input->pressure);
        break;
    case INPUT_LOOKED:
        hold_looked(step, session, input->is_frozen);
        break;
    case INPUT_EMPTIED:
        reservations_emptied(step, &input->emptied);
        break;
    case INPUT_CONFIGURE:
        configure_broker(step, &input->settings);
        break;
    case INPUT_TICK:
        reservations_expire(step);
        expiry_work(step);
        break;
    case INPUT_BLOCK_UNKEPT:
        block_note_unkept(broker, segment->block);
        break;
    case INPUT_SHUTDOWN:
        shut_down(step);
        break;
    }
}

void broker_step(struct broker *broker, const struct input *input, uint64_t now, struct effect_list *effects)
{
    struct step step = {.broker = broker, .now = now, .effects = effects};
    effects->count = 0;
    handle(&step, input);
    ending_work(&step);
    block_work(&step, input->kind == INPUT_TICK);
    board_work(&step);
    reservations_work(&step);
    queue_retry(&step, input->kind == INPUT_TICK);
    revoke_work(&step, input->kind == INPUT_TICK);
    pool_work(&step);
    watch_work(&step);
}
