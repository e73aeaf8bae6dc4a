/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a session, and its connections that come and go. */
#include "daemon/core/sessions.h"

#include "daemon/core/answer.h"
#include "daemon/core/ending.h"
#include "daemon/core/hold.h"
#include "daemon/core/trim.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

static uint64_t limit_or(uint64_t said, uint64_t otherwise)
{
    return said == LIMIT_DEFAULT ? otherwise : said == 0 ? LIMIT_OFF : said;
}

/* The client's own limits: twice its heap unless it says otherwise, as the off-heap limit of a JVM's arrays. */
static struct byte_limits client_limits(const struct hello_request *hello)
{
    bool has_heap = hello->heap_bytes != LIMIT_DEFAULT && hello->heap_bytes != 0;
    uint64_t from_heap = has_heap ? size_multiply_saturated(hello->heap_bytes, 2) : LIMIT_OFF;
    uint64_t max_bytes = limit_or(hello->max_bytes, from_heap);
    return (struct byte_limits){
        .max_bytes = max_bytes,
        .max_physical_bytes = limit_or(hello->max_physical_bytes, max_bytes),
        .max_mapped_bytes = LIMIT_OFF,
    };
}

/* Answers where there is no room. A user without a quota has the bound that all have. */
static bool has_room_for_session(struct step *step, const struct share *share, const struct input *input)
{
    uint32_t most = step->broker->options.settings.user_sessions_max;
    const struct principal *full = share_full_of_sessions(share), *user = share->user;
    if (full) {
        answer_error(step, input->peer, input->open.request_id, ERROR_TOO_MANY,
                     "%s has %llu session%s, as many as its max_sessions allows; %s", full->whose,
                     (unsigned long long)full->sessions, text_plural(full->sessions),
                     full->quota.max_sessions ? "end one first, or raise that" : "raise that");
        return false;
    }
    if (most && user->quota.max_sessions == LIMIT_OFF && user->sessions >= most) {
        answer_error(step, input->peer, input->open.request_id, ERROR_TOO_MANY,
                     "%s has %llu session%s, as many as [clients] max_sessions_per_user allows; end one first, raise "
                     "that, or give the user a max_sessions of its own",
                     user->whose, (unsigned long long)user->sessions, text_plural(user->sessions));
        return false;
    }
    return true;
}

void sessions_open(struct step *step, const struct input *input)
{
    struct broker *broker = step->broker;
    if (broker->shutting_down) {
        answer_error(step, input->peer, input->open.request_id, ERROR_SHUTTING_DOWN,
                     "the broker is shutting down; connect again later");
        return;
    }
    struct byte_limits limits = client_limits(&input->open.hello);
    struct class_reason reason;
    const struct policy_client client = {&input->open.identity, input->open.hello.name, input->open.control_groups};
    struct share *share = share_join(&broker->principals, &client, &reason);
    if (share && !has_room_for_session(step, share, input)) {
        share_leave(&broker->principals, share);
        return;
    }
    const struct session_terms terms = {
        .id = broker->next_session,
        .identity = &input->open.identity,
        .limits = &limits,
        .token = &input->open.token,
        .name = input->open.hello.name,
        .control_groups = input->open.control_groups,
        .reason = &reason,
        .room = &input->open.room,
        .peer = input->peer,
    };
    const struct session *session = session_new(&broker->sessions, &broker->principals, share, &terms);
    if (!session) {
        answer_out_of_tables(step, input->peer, input->open.request_id);
        return;
    }
    broker->next_session++;
    effect_push(step->effects, EFFECT_SESSION_OPENED)->session =
        (struct effect_session){input->peer, session->id, input->open.request_id};
}

/* Requests that wait end with their connection: a client that resumes its session repeats them. */
static void leave_connection(struct step *step, struct session *session)
{
    waiting_drop_session(step->broker, session);
    name_wait_drop_session(step->broker, session);
    watch_drop_session(step->broker, session);
    trim_answered(step->broker, session);
}

/* The time before the resumption does not count: the client could not renew. */
void sessions_resume(struct step *step, struct session *session, uint64_t request_id)
{
    leave_connection(step, session); /* which another connection takes the place of, if it was there still */
    session_attach(&step->broker->sessions, session);
    hold_renewed(session, step->now);
    effect_push(step->effects, EFFECT_SESSION_RESUMED)->session =
        (struct effect_session){session->peer, session->id, request_id};
}

void sessions_disconnect(struct step *step, struct session *session)
{
    uint64_t grace = step->broker->options.settings.times.reconnect_grace_ms * NANOSECONDS_PER_MILLISECOND;
    if (session->state != SESSION_CONNECTED) {
        return;
    }
    if (!session->lease_count) { /* nothing to come back for, and each costs descriptors */
        ending_session(step, session, END_DISCONNECTED);
        return;
    }
    session_detach(&step->broker->sessions, session, size_add_saturated(step->now, grace));
    leave_connection(step, session);
}
