/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/hold.h"

#include "daemon/core/deadline.h"
#include "proto/base/size.h"

static uint64_t hold_time(const struct broker *broker)
{
    return broker->options.settings.reservations.hold_ms * NANOSECONDS_PER_MILLISECOND;
}

/* A reservation that was given up grants no lease. */
static bool may_be_held(const struct broker *broker, const struct session *session)
{
    const struct quota *quota = &session->share->class->quota;
    return quota->is_reservation && quota->max_leases > 0 && hold_time(broker) > 0;
}

static bool is_lost(const struct step *step, const struct session *session)
{
    return session->look_asked_at && step->now - session->look_asked_at >= HOLD_PATIENCE;
}

static void ask(struct step *step, struct session *session)
{
    if (!session->look_asked_at || is_lost(step, session)) {
        session->look_asked_at = step->now;
        effect_push(step->effects, EFFECT_LOOK)->session =
            (struct effect_session){.peer = session->peer, .session = session->id};
    }
}

/* One that is frozen is looked at again, to find the end of that. */
static void look_again(struct step *step, struct session *session, uint64_t after)
{
    if (session->is_frozen && step->now - session->look_answered_at >= after) {
        ask(step, session);
    }
}

/* Asks, unless the answer to that does not come. */
static bool awaits_look(struct step *step, struct session *session)
{
    if (is_lost(step, session)) {
        session->look_asked_at = 0;
        return false;
    }
    ask(step, session);
    return true;
}

/* As soon again as if it were renewed now: when the hold ends, it is not filed too late. */
bool hold_lease(struct step *step, struct lease *lease)
{
    struct session *session = lease->session;
    uint64_t now = step->now, deadline = deadline_renewed(lease);
    if (!may_be_held(step->broker, session)) {
        return false;
    }
    if (deadline_held_until(session) > now) {
        look_again(step, session, lease->ttl_ns / 2);
        lease_table_postpone(&step->broker->leases, lease, size_add_saturated(now, lease->ttl_ns - lease->ttl_ns / 4));
        return true;
    }
    if (deadline > now || session->look_answered_at >= deadline || !awaits_look(step, session)) {
        return false;
    }
    lease_table_postpone(&step->broker->leases, lease, now + HOLD_BEAT);
    return true;
}

static uint64_t grace_of(const struct broker *broker)
{
    return broker->options.settings.times.reconnect_grace_ms * NANOSECONDS_PER_MILLISECOND + HOLD_BEAT;
}

/* After each check while a look was awaited, the grace was HOLD_BEAT: an answer since then is enough. */
bool hold_grace(struct step *step, struct session *session)
{
    struct session_table *sessions = &step->broker->sessions;
    uint64_t grace = grace_of(step->broker), held_until = deadline_held_until(session);
    if (!may_be_held(step->broker, session)) {
        return false;
    }
    if (held_until > step->now) {
        look_again(step, session, grace / 2);
        session_postpone(sessions, session, size_add_saturated(session->is_frozen ? step->now : held_until, grace));
        return true;
    }
    if (session->look_answered_at + HOLD_BEAT >= session->grace_until || !awaits_look(step, session)) {
        return false;
    }
    session_postpone(sessions, session, step->now + HOLD_BEAT);
    return true;
}

void hold_end(struct step *step, struct session *session)
{
    session->is_frozen = false;
    session->renewed_at = step->now;
    if (session->state == SESSION_DETACHED) {
        session_postpone(&step->broker->sessions, session, size_add_saturated(step->now, grace_of(step->broker)));
    }
}

/* Whoever is frozen beyond the limit has its last TTL from then on, not from the look that finds it thawed. */
void hold_looked(struct step *step, struct session *session, bool is_frozen)
{
    bool was_held = deadline_held_until(session) > step->now;
    session->look_asked_at = 0;
    session->look_answered_at = step->now;
    if (is_frozen && may_be_held(step->broker, session)) {
        session->is_frozen = true;
        session->hold_limit =
            session->hold_limit ? session->hold_limit : size_add_saturated(step->now, hold_time(step->broker));
    } else if (session->is_frozen && was_held) {
        hold_end(step, session);
    }
}

void hold_renewed(struct session *session, uint64_t now)
{
    session->renewed_at = now;
    session->is_frozen = false;
    session->hold_limit = 0;
}
