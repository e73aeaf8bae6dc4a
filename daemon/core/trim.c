/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking clients to give back what they don't use, before anybody waits for it or is refused: those of the lowest
 * priority first, of them the largest. Each has until a deadline to answer; one that was asked lately is left alone, so
 * that a stream of requests that don't fit is not a stream of questions.
 */
#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

enum { ASKED_AT_ONCE = 8 }; /* the queue leaves room for so many events */
#define TRIM_INTERVAL NANOSECONDS_PER_SECOND

static bool may_be_asked(const struct step *step, const struct session *session, const struct session *asking,
                         const struct denial *denial)
{
    bool asked_lately = session->trimmed_at && step->now - session->trimmed_at < TRIM_INTERVAL;
    return session != asking && session->state == SESSION_CONNECTED && !asked_lately &&
           account_stands_under(&session->account, denial->excess.account) &&
           account_used(&session->account, denial_limit(denial)) > 0;
}

static bool comes_before(const struct session *a, const struct session *b, enum ledger_limit limit)
{
    if (!b || a->flow->priority != b->flow->priority) {
        return !b || a->flow->priority < b->flow->priority;
    }
    return account_used(&a->account, limit) > account_used(&b->account, limit);
}

static uint64_t wanted(const struct denial *denial)
{
    const struct ledger_excess *excess = &denial->excess;
    uint64_t taken = size_add_saturated(excess->used_bytes, excess->reserved_bytes);
    uint64_t free_bytes = size_subtract_floored(excess->limit_bytes, taken);
    return size_subtract_floored(excess->asked_bytes, free_bytes);
}

static void ask(struct step *step, struct session *session, const struct denial *denial)
{
    uint32_t trim_ms = step->broker->options.settings.queue.trim_ms;
    session->trimmed_at = step->now;
    if (!session->trim_until) {
        step->broker->trims_pending++;
    }
    session->trim_until = step->now + trim_ms * NANOSECONDS_PER_MILLISECOND;
    tell(step, session->peer, EVENT_TRIM)->trim =
        (struct trim_event){.wanted_bytes = wanted(denial), .location = denial->location, .deadline_ms = trim_ms};
}

bool trim_ask(struct step *step, const struct session *asking, const struct denial *denial)
{
    struct broker *broker = step->broker;
    uint64_t hoped = 0;
    for (int asked = 0; asked < ASKED_AT_ONCE && hoped < wanted(denial); asked++) {
        struct session *best = NULL, *session = session_table_next(&broker->sessions, 0);
        for (; session; session = session_table_next(&broker->sessions, session->id)) {
            if (may_be_asked(step, session, asking, denial) && comes_before(session, best, denial_limit(denial))) {
                best = session;
            }
        }
        if (!best) {
            break;
        }
        ask(step, best, denial);
        hoped += account_used(&best->account, denial_limit(denial));
    }
    return broker->trims_pending > 0;
}

void trim_answered(struct broker *broker, struct session *session)
{
    if (session->trim_until) {
        session->trim_until = 0;
        broker->trims_pending--;
        broker->retry_waiting = true;
    }
}

void trim_expire(struct step *step)
{
    struct broker *broker = step->broker;
    struct session *session = broker->trims_pending ? session_table_next(&broker->sessions, 0) : NULL;
    for (; session && broker->trims_pending; session = session_table_next(&broker->sessions, session->id)) {
        if (session->trim_until && session->trim_until <= step->now) {
            trim_answered(broker, session);
        }
    }
}
