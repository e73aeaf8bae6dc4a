/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explaining: what each waiting request waits for, who holds it, and when enough of it could come free. Nothing here
 * changes anything but the cursors of a walk over the queue.
 */
#include "daemon/core/broker.h"

#include <string.h>

#include "daemon/core/ahead.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"
#include "daemon/core/earliest.h"
#include "daemon/core/holders.h"
#include "daemon/core/queue_order.h"
#include "daemon/core/refusal_log.h"
#include "daemon/core/reserve.h"
#include "daemon/core/sharing_limit.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* How long a refusal is spoken of. */
#define REMEMBERED (600 * NANOSECONDS_PER_SECOND)

static uint64_t milliseconds(uint64_t nanoseconds)
{
    return nanoseconds / NANOSECONDS_PER_MILLISECOND;
}

static void fill_queue_entry(const struct broker *broker, const struct waiting *waiting, uint64_t place, uint64_t now,
                             struct queue_entry *entry)
{
    const struct session *session = waiting->session;
    *entry = (struct queue_entry){
        .place = place,
        .session = session->id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .request = waiting->demand.request_id,
        .bytes = waiting->demand.bytes,
        .location = waiting->demand.location,
        .priority = queue_order_level(broker, waiting, now),
        .waited_ms = milliseconds(now - waiting->since),
        .remaining_ms = milliseconds(size_subtract_floored(waiting->until, now)),
    };
    text_copy(entry->name, sizeof entry->name, session->name);
    text_copy(entry->class, sizeof entry->class, waiting->share->class->name);
    text_copy(entry->limit, sizeof entry->limit, waiting->blocked.limit);
    text_copy(entry->whose, sizeof entry->whose, waiting->blocked.whose);
}

/* A place in the queue is told; whose it is, not to everybody. */
static void hide_queue_entry(struct queue_entry *entry)
{
    entry->session = entry->request = 0;
    entry->pid = 0;
    text_copy(entry->name, sizeof entry->name, HIDDEN_NAME);
}

size_t broker_list_queue(struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                         struct queue_entry *entries, size_t max, bool *ret_more)
{
    struct waiting *waiting = queue_order_first(broker, now);
    uint64_t place = 1;
    size_t count = 0;
    for (; waiting && count < max; waiting = queue_order_next(broker, now), place++) {
        queue_order_claim(waiting);
        if (place > after) {
            struct queue_entry *entry = &entries[count++];
            fill_queue_entry(broker, waiting, place, now, entry);
            if (!visibility_shows(broker, viewer, waiting->session)) {
                hide_queue_entry(entry);
            }
        }
    }
    queue_order_end(broker);
    *ret_more = waiting;
    return count;
}

/* ---- what lacks now, and when it could come free ---- */

/* What one call explains with: whose question it is, and what it found last. */
struct explanation {
    struct broker *broker;
    const struct identity *viewer;
    uint64_t now;
    size_t looks; /* at leases, that are left */
    struct holders holders;
};

/* How a request stands in one location, or for want of a lease: one of the ways that could serve it. */
struct outlook {
    enum location location;
    struct denial denial;
    uint64_t earliest_ms;
};

/* Bytes that must still be released. Those that are being freed, and the pool's, need no release. */
static uint64_t lacking(const struct broker *broker, const struct denial *denial)
{
    const struct ledger_excess *excess = &denial->excess;
    uint64_t comes = ledger_counted(excess->account->freeing, denial_limit(denial));
    bool has_pool = excess->account == &broker->host && ledger_limit_counts(denial_limit(denial), LOCATION_POOLED);
    comes += has_pool ? pool_bytes(&broker->pool) : 0;
    return ledger_lacks(excess, denial->full ? 0 : comes);
}

/* While grants of RAM are paused, the end of the pause is not known. */
static uint64_t earliest_for(struct explanation *explanation, const struct session *session,
                             const struct denial *denial)
{
    const struct shortage shortage = {.session = session,
                                      .account = denial->excess.account,
                                      .limit = denial_limit(denial),
                                      .counts_leases = denial->full,
                                      .lacking = lacking(explanation->broker, denial)};
    return denial->is_paused ? UINT64_MAX
                             : earliest_ms(explanation->broker, &shortage, explanation->now, &explanation->looks);
}

/* Where nothing is in the way (any more): the host's figures. */
static struct denial nothing_in_the_way(const struct broker *broker, const struct session *session,
                                        enum location location, uint64_t bytes)
{
    enum ledger_limit limit = ledger_limit_of(location);
    return (struct denial){.code = ERROR_LIMIT,
                           .location = location,
                           .excess = {.account = &broker->host,
                                      .limit = limit,
                                      .limit_bytes = account_limit(&broker->host, limit),
                                      .used_bytes = account_used(&broker->host, limit),
                                      .reserved_bytes = account_held_back(&broker->host, &session->account, limit),
                                      .claimed_bytes = account_claimed(&broker->host, limit),
                                      .asked_bytes = bytes}};
}

static struct outlook look_in(struct explanation *explanation, struct session *session, const struct wish *wish,
                              enum location location)
{
    struct broker *broker = explanation->broker;
    struct outlook outlook = {.location = location};
    if (reserve_would_fit(broker, &session->account, wish->bytes, location, &outlook.denial)) {
        outlook.denial = nothing_in_the_way(broker, session, location, wish->bytes);
    } else {
        outlook.earliest_ms = earliest_for(explanation, session, &outlook.denial);
    }
    return outlook;
}

/* The way that could serve it first: of both locations, where either would do. */
static struct outlook look_ahead(struct explanation *explanation, struct session *session, const struct wish *wish)
{
    const struct principal *full = wish->takes_lease ? share_full_of_leases(session->share) : NULL;
    if (full || !wish->bytes) { /* a view needs nothing but a lease */
        struct outlook outlook = {.location = wish->location,
                                  .denial = denial_of_leases(full ? full : session->share->user)};
        outlook.earliest_ms = full ? earliest_for(explanation, session, &outlook.denial) : 0;
        return outlook;
    }
    enum location location = location_first(wish->location);
    struct outlook best = look_in(explanation, session, wish, location);
    while ((location = location_next(wish->location, location)) != LOCATION_UNSPECIFIED) {
        struct outlook other = look_in(explanation, session, wish, location);
        best = other.earliest_ms < best.earliest_ms ? other : best;
    }
    return best;
}

/* Nobody waits for a limit of [sharing]: when there could be room is not known. */
static void explain_sharing(const struct broker *broker, const struct session *session, const struct wish *wish,
                            struct why_entry *entry)
{
    entry->location = wish->location;
    entry->refusal = sharing_limit_figures(broker, session, wish->sharing, wish->bytes);
    entry->earliest_ms = entry->refusal.asked_bytes <= entry->refusal.free_bytes ? 0 : UINT64_MAX;
}

/* The figures as they are now, with what those before it in the queue claim. */
static void explain(struct explanation *explanation, struct session *session, const struct wish *wish,
                    struct why_entry *entry)
{
    struct outlook outlook = look_ahead(explanation, session, wish);
    const struct denial *denial = &outlook.denial;
    entry->either = location_is_choice(wish->location);
    entry->location = outlook.location;
    entry->earliest_ms = outlook.earliest_ms;
    denial_figures(denial, &entry->refusal);
    bool is_hosts = denial->excess.account == &explanation->broker->host && location_is_memory(entry->location);
    entry->refusal.pool_bytes = is_hosts ? pool_bytes(&explanation->broker->pool) : 0;
    holders_fill(explanation->broker, &explanation->holders, denial, &entry->refusal);
    ahead_fill(explanation->broker, denial, &entry->refusal);
    visibility_hide(explanation->broker, explanation->viewer, &entry->refusal);
}

/* ---- explaining ---- */

static struct why_entry begin_entry(const struct session *session)
{
    struct why_entry entry = {
        .session = session->id, .pid = session->identity.pid, .uid = session->identity.uid, .earliest_ms = UINT64_MAX};
    text_copy(entry.name, sizeof entry.name, session->name);
    return entry;
}

static size_t explain_waiting(struct explanation *explanation, uint64_t session, struct why_entry *entries, size_t max)
{
    struct broker *broker = explanation->broker;
    uint64_t now = explanation->now;
    struct waiting *waiting = queue_order_first(broker, now);
    size_t count = 0;
    for (uint64_t place = 1; waiting && count < max; waiting = queue_order_next(broker, now), place++) {
        bool is_wanted = !session || waiting->session->id == session;
        if (is_wanted && visibility_shows(broker, explanation->viewer, waiting->session)) {
            struct why_entry *entry = &entries[count++];
            *entry = begin_entry(waiting->session);
            entry->waits = true;
            entry->place = place;
            entry->since_ms = milliseconds(now - waiting->since);
            const struct wish wish = {.bytes = waiting->demand.bytes,
                                      .location = waiting->demand.location,
                                      .takes_lease = waiting->demand.takes_lease};
            explain(explanation, waiting->session, &wish, entry);
        }
        queue_order_claim(waiting);
    }
    return count;
}

enum { REFUSED_LOOKS = 1024 }; /* at sessions, for one question */

/* After `before` (NULL: the first) of those that the question is about, the last refused first. */
static struct session *next_refused(const struct broker *broker, uint64_t session, const struct session *before)
{
    if (before) {
        return session ? NULL : TAILQ_NEXT(before, in_refused);
    }
    return session ? session_table_find(&broker->sessions, session) : TAILQ_FIRST(&broker->sessions.refused);
}

static size_t explain_refused(struct explanation *explanation, uint64_t session, struct why_entry *entries, size_t max)
{
    struct broker *broker = explanation->broker;
    uint64_t now = explanation->now;
    struct session *of = next_refused(broker, session, NULL);
    size_t count = 0;
    for (int looks = 0; of && count < max && looks < REFUSED_LOOKS; of = next_refused(broker, session, of), looks++) {
        if (!of->refused_at || now - of->refused_at >= REMEMBERED) {
            break;
        }
        if (visibility_shows(broker, explanation->viewer, of)) {
            struct why_entry *entry = &entries[count++];
            *entry = begin_entry(of);
            entry->since_ms = milliseconds(now - of->refused_at);
            if (of->refused_wish.sharing) {
                explain_sharing(broker, of, &of->refused_wish, entry);
            } else {
                explain(explanation, of, &of->refused_wish, entry);
            }
        }
    }
    return count;
}

/* Of sessions that are over, the newest first: the figures are those of then. */
static size_t explain_buried(const struct explanation *explanation, uint64_t session, struct why_entry *entries,
                             size_t max)
{
    const struct broker *broker = explanation->broker;
    size_t count = 0;
    const struct buried_refusal *buried;
    for (size_t i = 0; count < max && (buried = refusal_log_at(broker, i)); i++) {
        bool is_wanted = (!session || buried->session == session) && explanation->now - buried->refused_at < REMEMBERED;
        if (is_wanted && visibility_shows_user(broker, explanation->viewer, buried->uid)) {
            struct why_entry *entry = &entries[count++];
            *entry = (struct why_entry){.session = buried->session,
                                        .is_over = true,
                                        .pid = buried->pid,
                                        .uid = buried->uid,
                                        .since_ms = milliseconds(explanation->now - buried->refused_at),
                                        .location = buried->location,
                                        .refusal = buried->refusal,
                                        .earliest_ms = UINT64_MAX};
            text_copy(entry->name, sizeof entry->name, buried->name);
            visibility_hide(broker, explanation->viewer, &entry->refusal);
        }
    }
    return count;
}

size_t broker_explain(struct broker *broker, const struct identity *viewer, uint64_t session, uint64_t now,
                      struct why_entry *entries, size_t max)
{
    struct explanation explanation = {.broker = broker, .viewer = viewer, .now = now, .looks = EARLIEST_LOOKS};
    size_t count = explain_waiting(&explanation, session, entries, max);
    count += explain_refused(&explanation, session, &entries[count], max - count);
    queue_order_end(broker);
    return count + explain_buried(&explanation, session, &entries[count], max - count);
}
