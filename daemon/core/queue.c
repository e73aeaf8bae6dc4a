/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of requests that wait: for bytes that are being freed, for clients that were asked to trim, or, if they
 * allow it, for a release.
 *
 * Order. Higher priority goes first; a request's priority grows by one each ageing time that it has waited, up to the
 * highest there is, and one that has waited OVERDUE_TIMES longer than that takes is overdue: those go before all
 * others, first come first. Within a priority the class that holds the least for its weight goes first, within a class
 * the user that does (fair_share.c), and within a user's requests the oldest.
 *
 * Passing. A pass looks at the queue in that order. A request that does not fit claims what it asks for, in the
 * account that has no room for it and in those below. Each later request must fit beside that claim. So a small request
 * passes a large one only if it can't delay it, and freed bytes gather for the first in the queue. A request for RAM or
 * a file claims both, and takes what gathers first. A new lease claims a lease as well, up to the same account; if
 * max_leases is used up it claims a lease and no bytes. A request that does not wait, and only gives others time to
 * trim, claims nothing: a stream of such requests delays no other.
 *
 * Passes. A pass over the whole queue follows each change that may have made room. Between passes over a long queue
 * there is a pause that grows with its length, and they run in ticks. So they take a small part of the broker's time,
 * however often something changes, and they delay no client. A request that arrives meanwhile and fits beside all
 * claims is served immediately, since that delays no other.
 *
 * Room. The number of waiting requests is bounded: of all, of a user and of a session. A request that finds the queue
 * full is still served in its turn if there is memory for it, and refused only if it would have to wait. So a queue
 * full of requests that can't be served holds up no request that can.
 *
 * Evictions. A block is evicted only for a request that can wait until the bytes are free; until then nothing goes
 * before that request (for COMES_FREE_WITHIN at most).
 *
 * No starvation: after (top priority - own + OVERDUE_TIMES) ageing times no later request goes before this one, and
 * all bytes that come free are for it.
 */
#include "daemon/core/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/answer.h"
#include "daemon/core/demand_check.h"
#include "daemon/core/denial.h"
#include "daemon/core/fair_share.h"
#include "daemon/core/grant.h"
#include "daemon/core/place.h"
#include "daemon/core/queue_order.h"
#include "daemon/core/refusal.h"
#include "daemon/core/repeat.h"
#include "daemon/core/revoke.h"
#include "daemon/core/trim.h"
#include "proto/base/size.h"

enum {
    TRIM_LOOKS = 4, /* over all sessions for those to be asked to trim, in one pass */
    FEW = 32,       /* a pass over so many is as good as free */
};

/* Between two passes, for each that waits: some ten times what it takes to look at it. */
#define PAUSE_EACH UINT64_C(20000)

/* Order changes by ageing and the host's memory without anything happening here. */
#define BEAT (250 * NANOSECONDS_PER_MILLISECOND)

/* By then what was being freed is free, or another request has it, or it is stuck: no request waits for it any longer.
 */
#define COMES_FREE_WITHIN (5 * NANOSECONDS_PER_SECOND)

/* ---- coming and going ---- */

/* One of the bounds on how many may wait. */
struct bound {
    const char *whose, *setting;
    uint64_t count, most;
};

/* The bound that so many requests exceed, the one that is asked for among them. False: all may wait. */
static bool find_exceeded_bound(const struct broker *broker, const struct session *session, struct bound *ret)
{
    const struct queue_settings *settings = &broker->options.settings.queue;
    const struct bound bounds[] = {
        {"this session", "max_waiting_per_session", session->waiting_count, settings->waiting_per_session_max},
        {"this user", "max_waiting_per_user", session->share->user->waiting, settings->waiting_per_user_max},
        {"all clients", "max_waiting", broker->waiting_count, settings->waiting_max},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (bounds[i].count > bounds[i].most) {
            *ret = bounds[i];
            return true;
        }
    }
    return false;
}

/* False after an answer. */
static bool queue_add(struct step *step, struct session *session, const struct demand *demand)
{
    struct broker *broker = step->broker;
    struct bound bound;
    struct waiting *waiting = waiting_new(broker, session, demand, step->now);
    if (!waiting) {
        answer_out_of_tables(step, session->peer, demand->request_id);
        return false;
    }
    uint64_t wait = size_min(demand->wait_ms, broker->options.settings.queue.wait_max_ms) * NANOSECONDS_PER_MILLISECOND;
    waiting->until = wait ? size_add_saturated(step->now, wait) : 0;
    waiting->may_not_stay = find_exceeded_bound(broker, session, &bound);
    return true;
}

void queue_cancel(struct step *step, struct session *session, const struct request *request)
{
    struct waiting *waiting;
    TAILQ_FOREACH(waiting, &session->waiting, in_session) {
        if (waiting->demand.request_id == request->cancel_request) {
            answer_error(step, session->peer, waiting->demand.request_id, ERROR_CANCELLED, "the request was cancelled");
            waiting_free(step->broker, waiting);
            step->broker->retry_waiting = true;
            break;
        }
    }
    answer_to(step, session->peer, request->id, REPLY_DONE);
}

/* ---- serving ---- */

static bool is_trimming(const struct step *step, const struct waiting *waiting)
{
    return step->now < waiting->trim_until && step->broker->trims_pending > 0;
}

/*
 * Before a request waits for others, or takes a file, the clients that hold the most are asked for what they don't
 * use. They are asked again from time to time while it waits, since they may use less by then. It waits only for the
 * first answers.
 */
static void ask_for_trims(struct step *step, struct waiting *waiting, const struct denial *denial)
{
    struct broker *broker = step->broker;
    uint32_t trim_ms = broker->options.settings.queue.trim_ms;
    bool is_first = !waiting->has_asked;
    bool is_due = is_first || (waiting->until && step->now - waiting->asked_at >= TRIM_INTERVAL);
    bool helps = !denial->full && denial->excess.fits_ever && !denial->excess.frees_suffice && !denial->is_paused &&
                 denial->excess.account != &waiting->session->account;
    if (!helps || !is_due || broker->trim_looks == TRIM_LOOKS) {
        return;
    }
    waiting->has_asked = true;
    waiting->asked_at = step->now;
    broker->trim_looks += trim_ms > 0;
    if (trim_ms && trim_ask(step, waiting->session, denial) && is_first) {
        waiting->trim_until = step->now + trim_ms * NANOSECONDS_PER_MILLISECOND;
    }
}

static bool has_time(const struct step *step, const struct waiting *waiting)
{
    return waiting->until ? step->now < waiting->until : step->now - waiting->since < COMES_FREE_WITHIN;
}

/* A request waits for as long as it said; one that does not want to wait waits only for what is being freed anyway. */
static bool is_patient(const struct step *step, const struct waiting *waiting, const struct denial *denial)
{
    bool comes_free = denial->excess.frees_suffice || is_trimming(step, waiting);
    return has_time(step, waiting) && (comes_free || (waiting->until && denial->excess.fits_ever));
}

/*
 * A request that does not want to wait, and hopes that clients trim, claims nothing: whether they trim is not known,
 * and until then its claim would delay requests that fit.
 */
static void claim(struct waiting *waiting, const struct denial *denial)
{
    bool may_hope_only = !waiting->until && !denial->excess.frees_suffice;
    bool waits_for_file = denial->code == ERROR_BUSY; /* the bytes are there: no other request must leave any for it */
    bool claims_bytes = !may_hope_only && !denial->full && !waits_for_file;
    const struct account *short_of = denial->excess.account;
    bool is_its_own = short_of == &waiting->session->account;
    FOR_EACH_LOCATION(location)
    {
        const struct account *in_memory = location_is_memory(location) ? denial->in_ram.account : NULL;
        const struct account *up_to = location == denial->location ? short_of : in_memory;
        waiting->claims_up_to[location] = claims_bytes ? up_to : NULL;
    }
    bool claims_lease = waiting->demand.takes_lease && !may_hope_only && !is_its_own && !waits_for_file;
    waiting->last_lease = claims_lease ? short_of : NULL;
    queue_order_claim(waiting);
    denial_figures(denial, &waiting->blocked);
}

/* False, after an answer: it has to wait, and there is no room for it to do so. */
static bool may_stay(struct step *step, struct waiting *waiting)
{
    struct bound bound;
    waiting->may_not_stay = waiting->may_not_stay && find_exceeded_bound(step->broker, waiting->session, &bound);
    if (waiting->may_not_stay) {
        answer_error(step, waiting->session->peer, waiting->demand.request_id, ERROR_TOO_MANY,
                     "it does not fit now, and %llu requests of %s wait for memory already, as many as [queue] %s "
                     "allows; wait for their answers first",
                     (unsigned long long)bound.count - 1, bound.whose, bound.setting);
    }
    return !waiting->may_not_stay;
}

/* What is evicted for it is free a little later: it must be able to wait for that. */
static enum attempt try_with_evictions(struct step *step, struct waiting *waiting, enum file_choice files,
                                       struct denial *ret_denial)
{
    step->keeps_blocks = waiting->may_not_stay || !has_time(step, waiting);
    step->has_evicted = false;
    enum attempt result = grant_try(step, waiting->session, &waiting->demand, files, ret_denial);
    step->keeps_blocks = false;
    if (step->has_evicted) {
        waiting_promise(step->broker, waiting, step->now + COMES_FREE_WITHIN);
    }
    return result;
}

/* Looks at it once, or twice: AUTO goes to a file if no client can be asked for RAM (any more), and RAM that was
 * evicted for it is waited for. */
static enum attempt attempt(struct step *step, struct waiting *waiting, struct denial *ret_denial)
{
    bool is_late = step->now - waiting->since >= COMES_FREE_WITHIN && step->now >= waiting->promised_until;
    bool asked_enough = waiting->may_not_stay || (waiting->has_asked && !is_trimming(step, waiting));
    enum file_choice files = is_late ? FILE_AT_ONCE : asked_enough ? FILE_UNLESS_FREEING : FILE_NEVER;
    enum attempt result = try_with_evictions(step, waiting, files, ret_denial);
    if (result == ATTEMPT_SHORT && !waiting->may_not_stay) {
        ask_for_trims(step, waiting, ret_denial);
        if (files == FILE_NEVER && !is_trimming(step, waiting)) {
            result = try_with_evictions(step, waiting, FILE_UNLESS_FREEING, ret_denial);
        }
    }
    return result;
}

/* One that is answered in the step in which it came has not waited. */
static void note_wait(struct broker *broker, const struct waiting *waiting, uint64_t now)
{
    if (now > waiting->since) {
        histogram_note(&broker->figures.wait, now - waiting->since);
    }
}

/* Serves it, lets it go on waiting with its claim, or refuses it. */
static void look_at(struct step *step, struct waiting *waiting)
{
    struct session *session = waiting->session;
    struct denial denial;
    bool is_current = waiting->demand.settings_number == step->broker->settings_number;
    if (!is_current && !waiting_check_again(step, waiting)) {
        waiting_free(step->broker, waiting);
        return;
    }
    bool is_short = attempt(step, waiting, &denial) == ATTEMPT_SHORT;
    bool is_willing = is_short && is_patient(step, waiting, &denial);
    if (is_willing && may_stay(step, waiting)) {
        claim(waiting, &denial);
        revoke_for(step, waiting, &denial);
        return;
    }
    if (is_short && !is_willing) {
        refusal_answer(step, session, &waiting->demand, &denial, waiting->until ? step->now - waiting->since : 0);
    }
    note_wait(step->broker, waiting, step->now);
    waiting_free(step->broker, waiting);
}

static void earlier(uint64_t *due, uint64_t when, uint64_t now)
{
    if (when > now) {
        *due = size_min(*due, when);
    }
}

/* Finds out when the queue must be looked at again. */
static void set_beat(struct step *step)
{
    struct broker *broker = step->broker;
    const struct queue_settings *settings = &broker->options.settings.queue;
    struct share *share;
    struct waiting *waiting;
    uint64_t due = step->now + BEAT;
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        TAILQ_FOREACH(waiting, &share->waiting, in_share) {
            earlier(&due, waiting->until ? waiting->until : waiting->since + COMES_FREE_WITHIN, step->now);
            earlier(&due, waiting->trim_until, step->now);
            earlier(&due, waiting->since + settings->revoke_grace_ms * NANOSECONDS_PER_MILLISECOND, step->now);
        }
    }
    broker->waiting_beat = due;
}

uint64_t queue_next_pass(const struct broker *broker)
{
    return !broker->waiting_count ? UINT64_MAX : broker->retry_waiting ? broker->next_pass : broker->waiting_beat;
}

void queue_retry(struct step *step, bool is_tick)
{
    struct broker *broker = step->broker;
    struct waiting *waiting;
    if (!broker->waiting_count) {
        broker->retry_waiting = false;
    }
    bool is_many = broker->waiting_count > FEW;
    if (!broker->retry_waiting || step->now < broker->next_pass || (is_many && !is_tick)) {
        return;
    }
    step->holders.under = NULL;
    broker->retry_waiting = false;
    broker->next_pass = is_many ? step->now + broker->waiting_count * PAUSE_EACH : 0;
    broker->trim_looks = 0;
    broker->pass++;
    fair_share_charge(step);
    for (waiting = queue_order_first(broker, step->now); waiting; waiting = queue_order_next(broker, step->now)) {
        if (effect_room(step->effects) <= (size_t)2 * EFFECTS_FOR_ONE_LEASE) {
            broker->retry_waiting = true; /* the next step goes on */
            broker->next_pass = 0;
            break;
        }
        look_at(step, waiting);
    }
    queue_order_end(broker);
    fair_share_settle(broker);
    if (!waiting) {
        revoke_review(step);
    }
    set_beat(step);
}

/* Takes the size that is remembered instead of the one that was asked for. False after an answer: there is none. */
static bool recall_size(struct step *step, const struct session *session, struct demand *demand)
{
    if (!demand->takes_lease || !demand->use_learned) {
        return true;
    }
    struct learned_key key = session_learned_key(session, demand->name);
    uint64_t bytes = learned_recall(&step->broker->learned, &key);
    demand->use_learned = bytes > 0;
    demand->asked_bytes = bytes ? bytes : demand->asked_bytes;
    if (demand->asked_bytes == 0) {
        answer_to(step, session->peer, demand->request_id, REPLY_DONE);
    }
    return demand->asked_bytes > 0;
}

/* False: it does not fit, beside all claims. */
static bool serve_beside_all(struct step *step, struct session *session, const struct demand *demand)
{
    struct broker *broker = step->broker;
    struct denial denial;
    bool others_wait = broker->waiting_count > 0; /* mostly none does, and no user need be looked at */
    if (others_wait) {
        queue_order_claim_all(broker);
    }
    enum file_choice files = demand->takes_lease ? FILE_NEVER : FILE_UNLESS_FREEING;
    step->keeps_blocks = true; /* whether it may wait is not known yet */
    enum attempt attempt = grant_try(step, session, demand, files, &denial);
    step->keeps_blocks = false;
    if (others_wait) {
        queue_order_end(broker);
    }
    return attempt == ATTEMPT_ANSWERED;
}

void queue_request(struct step *step, struct session *session, const struct request *request, uint64_t file_bytes)
{
    struct demand demand;
    demand_read(request, file_bytes, &demand);
    demand.asked_at = step->now;
    if (repeat_answer(step, session, &demand) || !demand_check_under_way(step, session, demand.request_id) ||
        !recall_size(step, session, &demand) || !demand_check(step, session, &demand)) {
        return;
    }
    if (!serve_beside_all(step, session, &demand) && queue_add(step, session, &demand)) {
        step->broker->retry_waiting = true;
    }
}
