/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait for bytes that are being freed. First come, first served: nobody passes
 * the head of the queue. Frees always end, so a wait does; a head that still does not fit when nothing
 * is being freed any more is refused.
 */
#include <stdlib.h>

#include "daemon/core/broker_state.h"

enum { WAITING_PER_SESSION_MAX = 64, RETRIES_PER_STEP = 16 };

static void queue_add(struct step *step, struct session *session, const struct request *request)
{
    if (session->waiting_count >= WAITING_PER_SESSION_MAX) {
        answer_error(step, session->peer, request->id, ERROR_TOO_MANY,
                     "%d requests of this session wait for memory already; wait for their answers first",
                     WAITING_PER_SESSION_MAX);
        return;
    }
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) {
        answer_error(step, session->peer, request->id, ERROR_SYSTEM, "the broker is out of memory for its own tables");
        return;
    }
    *waiting = (struct waiting){.session = session, .request = *request};
    TAILQ_INSERT_TAIL(&step->broker->waiting, waiting, in_queue);
    TAILQ_INSERT_TAIL(&session->waiting, waiting, in_session);
    session->waiting_count++;
}

static void take_out(struct broker *broker, struct waiting *waiting)
{
    TAILQ_REMOVE(&broker->waiting, waiting, in_queue);
    TAILQ_REMOVE(&waiting->session->waiting, waiting, in_session);
    waiting->session->waiting_count--;
}

void queue_request(struct step *step, struct session *session, const struct request *request)
{
    if (repeat_answer(step, session, request)) {
        return;
    }
    bool must_wait = !TAILQ_EMPTY(&step->broker->waiting) || !grant_try(step, session, request);
    if (must_wait) {
        queue_add(step, session, request);
    }
}

void queue_retry(struct step *step)
{
    struct broker *broker = step->broker;
    for (int tries = 0; broker->retry_waiting && tries < RETRIES_PER_STEP; tries++) {
        struct waiting *head = TAILQ_FIRST(&broker->waiting);
        if (!head) {
            broker->retry_waiting = false;
            return;
        }
        if (effect_room(step->effects) < EFFECTS_FOR_ONE_LEASE) {
            return;
        }
        /* the one before was unlinked by take_out(), which the analyzer does not follow */
        if (!grant_try(step, head->session, &head->request)) { // NOLINT(clang-analyzer-unix.Malloc)
            broker->retry_waiting = false;
            return;
        }
        take_out(broker, head);
        free(head);
    }
}

void queue_drop_session(struct broker *broker, struct session *session)
{
    struct waiting *waiting;
    while ((waiting = TAILQ_FIRST(&session->waiting))) {
        take_out(broker, waiting); // NOLINT(clang-analyzer-unix.Malloc): as above
        free(waiting);
    }
    /* whoever stood behind may be first now */
    broker->retry_waiting = true;
}
