/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/name_wait.h"

#include <stdlib.h>

#include "daemon/core/answer.h"
#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

/* Of a user's sessions there may be many: what waits for all of them together is counted. */
static uint64_t count_of_user(const struct broker *broker, const struct principal *user)
{
    const struct name_wait *wait;
    uint64_t count = 0;
    TAILQ_FOREACH(wait, &broker->name_waits, in_all) {
        count += wait->session->share->user == user;
    }
    return count;
}

static bool has_room(const struct broker *broker, const struct session *session)
{
    const struct queue_settings *settings = &broker->options.settings.queue;
    return session->name_wait_count < settings->waiting_per_session_max &&
           broker->name_wait_count < settings->waiting_max &&
           count_of_user(broker, session->share->user) < settings->waiting_per_user_max;
}

bool name_wait_add(struct step *step, struct session *session, const struct request *request)
{
    struct broker *broker = step->broker;
    uint64_t wait_ms = size_min(request->attach_block.wait_ms, broker->options.settings.queue.wait_max_ms);
    if (!has_room(broker, session)) {
        answer_error(
            step, session->peer, request->id, ERROR_TOO_MANY,
            "no such block is published now, and as many requests wait for blocks already as [queue] "
            "max_waiting, max_waiting_per_user or max_waiting_per_session allows; wait for their answers first");
        return false;
    }
    struct name_wait *wait = calloc(1, sizeof *wait);
    if (!wait) {
        answer_out_of_tables(step, session->peer, request->id);
        return false;
    }
    wait->session = session;
    wait->request_id = request->id;
    wait->request = request->attach_block;
    wait->until = size_add_saturated(step->now, wait_ms * NANOSECONDS_PER_MILLISECOND);
    TAILQ_INSERT_TAIL(&broker->name_waits, wait, in_all);
    broker->name_wait_count++;
    session->name_wait_count++;
    return true;
}

void name_wait_free(struct broker *broker, struct name_wait *wait)
{
    TAILQ_REMOVE(&broker->name_waits, wait, in_all);
    broker->name_wait_count--;
    wait->session->name_wait_count--;
    free(wait);
}

void name_wait_drop_session(struct broker *broker, struct session *session)
{
    struct name_wait *wait = session->name_wait_count ? TAILQ_FIRST(&broker->name_waits) : NULL, *next;
    for (; wait; wait = next) {
        next = TAILQ_NEXT(wait, in_all);
        if (wait->session == session) {
            name_wait_free(broker, wait);
        }
    }
}

struct name_wait *name_wait_find(const struct broker *broker, const struct session *session, uint64_t request_id)
{
    struct name_wait *wait;
    TAILQ_FOREACH(wait, &broker->name_waits, in_all) {
        if (wait->session == session && wait->request_id == request_id) {
            return wait;
        }
    }
    return NULL;
}

uint64_t name_wait_first_end(const struct broker *broker)
{
    const struct name_wait *wait;
    uint64_t end = UINT64_MAX;
    TAILQ_FOREACH(wait, &broker->name_waits, in_all) {
        end = size_min(end, wait->until);
    }
    return end;
}
