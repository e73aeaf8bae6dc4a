/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks clients to give back what they don't use, before a request waits for it or is refused. Each client has until a
 * deadline to answer.
 *
 * Who is asked. Clients that gave something when they were last asked, or were not asked yet, come before those that
 * gave nothing. Among them the lowest priority comes first, and within a priority the client that could give the most:
 * the bytes that it holds minus those that it says it uses. If those of low priority can't give enough, the client that
 * could give the most comes first, whatever its priority. A few are asked together, until they could give enough.
 *
 * How often. No client is asked again within a second. Each time that it gives nothing that time doubles, up to about
 * a minute. So a stream of requests that don't fit does not become a stream of questions. Each second a waiting request
 * asks again, and so reaches every client in turn, even if many never answer.
 */
#include "daemon/core/trim.h"

#include <string.h>

#include "daemon/core/answer.h"
#include "proto/base/size.h"

enum {
    ASKED_AT_ONCE = 8, /* the queue leaves room for so many events */
    DOUBLINGS_MAX = 6, /* of the time until it is asked again */
};

/* Those to be asked, the first to be asked first. */
struct choice {
    const struct denial *denial;
    bool by_gain_alone; /* whatever their priority */
    size_t count;
    struct session *sessions[ASKED_AT_ONCE];
};

static bool was_asked_lately(const struct step *step, const struct session *session)
{
    uint32_t doublings = session->trims_vain < DOUBLINGS_MAX ? session->trims_vain : DOUBLINGS_MAX;
    return session->trimmed_at && step->now - session->trimmed_at < TRIM_INTERVAL << doublings;
}

static bool may_be_asked(const struct step *step, const struct session *session, const struct session *asking,
                         const struct denial *denial)
{
    return session != asking && session->state == SESSION_CONNECTED && !was_asked_lately(step, session) &&
           account_is_descendant_of(&session->account, denial->excess.account) &&
           account_used(&session->account, denial_limit(denial)) > 0;
}

/* What it holds and does not say that it uses; a client that says nothing may use nothing. */
static uint64_t gain_from(const struct session *session, enum ledger_limit limit)
{
    return size_subtract_floored(account_used(&session->account, limit), ledger_counted(session->used, limit));
}

static bool comes_before(const struct choice *choice, const struct session *a, const struct session *b)
{
    enum ledger_limit limit = denial_limit(choice->denial);
    uint64_t gain_a = gain_from(a, limit), gain_b = gain_from(b, limit);
    if (!a->trim_until != !b->trim_until) { /* the answer of one is awaited still */
        return !a->trim_until;
    }
    if (a->trims_vain != b->trims_vain) {
        return a->trims_vain < b->trims_vain;
    }
    if (!choice->by_gain_alone && a->share->priority != b->share->priority) {
        return a->share->priority < b->share->priority;
    }
    return gain_a != gain_b ? gain_a > gain_b : account_used(&a->account, limit) > account_used(&b->account, limit);
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
    session->trim_held = account_held(&session->account);
    if (!session->trim_until) {
        step->broker->trims_pending++;
        TAILQ_INSERT_TAIL(&step->broker->trimming, session, in_trimming);
    }
    session->trim_until = step->now + trim_ms * NANOSECONDS_PER_MILLISECOND;
    answer_event(step, session->peer, EVENT_TRIM)->trim =
        (struct trim_event){.wanted_bytes = wanted(denial), .location = denial->location, .deadline_ms = trim_ms};
}

static void insert(struct choice *choice, struct session *session)
{
    size_t at = choice->count;
    while (at > 0 && comes_before(choice, session, choice->sessions[at - 1])) {
        at--;
    }
    if (at == ASKED_AT_ONCE) {
        return;
    }
    choice->count = choice->count < ASKED_AT_ONCE ? choice->count + 1 : choice->count;
    memmove(&choice->sessions[at + 1], &choice->sessions[at], (choice->count - 1 - at) * sizeof(struct session *));
    choice->sessions[at] = session;
}

/* Returns what could be gained from all whom it chooses. */
static uint64_t choose(const struct step *step, const struct session *asking, struct choice *choice)
{
    struct session *session;
    uint64_t gain = 0;
    choice->count = 0;
    TAILQ_FOREACH(session, &step->broker->sessions.holding, in_holding) {
        if (may_be_asked(step, session, asking, choice->denial)) {
            insert(choice, session);
        }
    }
    for (size_t i = 0; i < choice->count; i++) {
        gain += gain_from(choice->sessions[i], denial_limit(choice->denial));
    }
    return gain;
}

bool trim_ask(struct step *step, const struct session *asking, const struct denial *denial)
{
    struct choice choice = {.denial = denial};
    uint64_t hoped = 0;
    if (choose(step, asking, &choice) < wanted(denial)) {
        choice.by_gain_alone = true;
        (void)choose(step, asking, &choice);
    }
    for (size_t i = 0; i < choice.count && hoped < wanted(denial); i++) {
        struct session *session = choice.sessions[i];
        ask(step, session, denial);
        hoped += session->trims_vain ? 0 : gain_from(session, denial_limit(denial));
    }
    return step->broker->trims_pending > 0;
}

void trim_answered(struct broker *broker, struct session *session)
{
    bool gave = account_held(&session->account) < session->trim_held; /* in time, or later */
    session->trims_vain = gave ? 0 : session->trims_vain + (session->trim_until > 0);
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
