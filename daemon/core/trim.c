/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking clients to give back what they don't use, before anybody waits for it or is refused: those of the lowest
 * priority first, of them the largest. Each has until a deadline to answer; one that was asked lately is left alone, so
 * that a stream of requests that don't fit is not a stream of questions.
 */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/size.h"

enum { ASKED_AT_ONCE = 8 }; /* the queue leaves room for so many events */

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
    if (a->flow->priority != b->flow->priority) {
        return a->flow->priority < b->flow->priority;
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
        TAILQ_INSERT_TAIL(&step->broker->trimming, session, in_trimming);
    }
    session->trim_until = step->now + trim_ms * NANOSECONDS_PER_MILLISECOND;
    tell(step, session->peer, EVENT_TRIM)->trim =
        (struct trim_event){.wanted_bytes = wanted(denial), .location = denial->location, .deadline_ms = trim_ms};
}

/* Files the session among those to be asked, the first to be asked first; so many are filed already. */
static size_t file(struct session *session, enum ledger_limit limit, struct session *chosen[ASKED_AT_ONCE],
                   size_t count)
{
    size_t at = count;
    while (at > 0 && comes_before(session, chosen[at - 1], limit)) {
        at--;
    }
    if (at == ASKED_AT_ONCE) {
        return count;
    }
    count = count < ASKED_AT_ONCE ? count + 1 : count;
    memmove(&chosen[at + 1], &chosen[at], (count - 1 - at) * sizeof(struct session *));
    chosen[at] = session;
    return count;
}

bool trim_ask(struct step *step, const struct session *asking, const struct denial *denial)
{
    struct broker *broker = step->broker;
    struct session *chosen[ASKED_AT_ONCE];
    struct session *session;
    enum ledger_limit limit = denial_limit(denial);
    uint64_t hoped = 0;
    size_t count = 0;
    TAILQ_FOREACH(session, &broker->sessions.holding, in_holding) {
        if (may_be_asked(step, session, asking, denial)) {
            count = file(session, limit, chosen, count);
        }
    }
    for (size_t i = 0; i < count && hoped < wanted(denial); i++) {
        ask(step, chosen[i], denial);
        hoped += account_used(&chosen[i]->account, limit);
    }
    return broker->trims_pending > 0;
}

void trim_answered(struct broker *broker, struct session *session)
{
    if (session->trim_until) {
        session->trim_until = 0;
        TAILQ_REMOVE(&broker->trimming, session, in_trimming);
        broker->trims_pending--;
        broker->retry_waiting = true;
    }
}

void trim_expire(struct step *step)
{
    struct broker *broker = step->broker;
    struct session *session, *next;
    for (session = TAILQ_FIRST(&broker->trimming); session; session = next) {
        next = TAILQ_NEXT(session, in_trimming);
        if (session->trim_until <= step->now) {
            trim_answered(broker, session);
        }
    }
}
