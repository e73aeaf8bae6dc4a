/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explaining: what each waiting request waits for, who holds it, and when enough of it could come free. Nothing here
 * changes anything but the cursors of a walk over the queue.
 */
#include <string.h>

#include "daemon/core/broker_state.h"
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
        .request = waiting->request.id,
        .bytes = waiting->bytes,
        .location = grant_location(broker, &waiting->request),
        .priority = queue_level(broker, waiting, now),
        .waited_ms = milliseconds(now - waiting->since),
        .remaining_ms = milliseconds(size_subtract_floored(waiting->until, now)),
    };
    text_copy(entry->name, sizeof entry->name, session->name);
    text_copy(entry->class, sizeof entry->class, waiting->flow->class->name);
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
    struct waiting *waiting = queue_walk_first(broker, now);
    uint64_t place = 1;
    size_t count = 0;
    for (; waiting && count < max; waiting = queue_walk_next(broker, now), place++) {
        queue_walk_claim(waiting);
        if (place > after) {
            struct queue_entry *entry = &entries[count++];
            fill_queue_entry(broker, waiting, place, now, entry);
            if (!broker_shows(broker, viewer, waiting->session)) {
                hide_queue_entry(entry);
            }
        }
    }
    queue_walk_end(broker);
    *ret_more = waiting;
    return count;
}

/* ---- when it could come free ---- */

/* The account that a refusal names; NULL: it is not there any more. */
static const struct account *find_account(const struct broker *broker, const struct session *session, const char *whose)
{
    const struct account *const accounts[] = {
        &session->account,
        &session->flow->user->account,
        session->flow->group ? &session->flow->group->account : NULL,
        &session->flow->class->account,
        &broker->host,
    };
    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
        if (accounts[i] && strcmp(accounts[i]->whose, whose) == 0) {
            return accounts[i];
        }
    }
    return NULL;
}

static enum ledger_limit limit_named(const char *name)
{
    enum ledger_limit limit = 0;
    while (limit < LEDGER_LIMITS && strcmp(ledger_limit_name(limit), name) != 0) {
        limit++;
    }
    return limit == LEDGER_LIMITS ? LEDGER_MAX_PHYSICAL_BYTES : limit;
}

/* What one call explains with: whose question it is, and what it found last. */
struct explanation {
    struct broker *broker;
    const struct identity *viewer;
    uint64_t now;
    size_t looks; /* at leases, that are left */
    struct holders holders;
};

/* The figures as they are now, with what those before it in the queue claim; what is being freed is there at once. */
static void refresh(struct explanation *explanation, const struct session *session, struct why_entry *entry)
{
    struct broker *broker = explanation->broker;
    struct refusal *refusal = &entry->refusal;
    bool is_paused = strcmp(refusal->limit, LIMIT_PAUSED) == 0;
    bool is_host_memory = is_paused || strcmp(refusal->limit, LIMIT_HOST_MEMORY) == 0;
    const struct account *account = find_account(broker, session, refusal->whose);
    enum ledger_limit limit = limit_named(refusal->limit);
    uint64_t freeing = 0;
    if (!account) {
        return;
    }
    refusal->claimed_bytes = account_claimed(account, limit);
    if (!is_host_memory) {
        refusal->limit_bytes = account_limit(account, limit);
        refusal->used_bytes = account_used(account, limit);
        refusal->reserved_bytes = account_held_back(account, &session->account, limit);
        freeing = account_freeing(account, limit);
    }
    bool counts_pool = account == &broker->host && limit != LEDGER_MAX_MAPPED_BYTES;
    refusal->pool_bytes = counts_pool ? pool_bytes(&broker->pool) : 0;
    uint64_t taken =
        size_add_saturated(size_add_saturated(refusal->used_bytes, refusal->reserved_bytes), refusal->claimed_bytes);
    refusal->free_bytes = size_subtract_floored(refusal->limit_bytes, taken);
    fill_holders(explanation->broker, &explanation->holders, explanation->viewer, account, limit, refusal);
    if (!is_paused || !place_is_paused(broker)) { /* nobody knows when that ends */
        uint64_t lacking = size_subtract_floored(size_add_saturated(taken, refusal->asked_bytes),
                                                 size_add_saturated(refusal->limit_bytes, freeing));
        entry->earliest_ms = earliest(broker, session, account, limit, lacking, explanation->now, &explanation->looks);
    }
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
    struct waiting *waiting = queue_walk_first(broker, now);
    size_t count = 0;
    for (uint64_t place = 1; waiting && count < max; waiting = queue_walk_next(broker, now), place++) {
        bool is_wanted = !session || waiting->session->id == session;
        if (is_wanted && broker_shows(broker, explanation->viewer, waiting->session)) {
            struct why_entry *entry = &entries[count++];
            *entry = begin_entry(waiting->session);
            entry->waits = true;
            entry->place = place;
            entry->since_ms = milliseconds(now - waiting->since);
            entry->location = waiting->blocked_location;
            entry->refusal = waiting->blocked;
            refresh(explanation, waiting->session, entry);
        }
        queue_walk_claim(waiting);
    }
    return count;
}

enum { REFUSED_LOOKS = 1024 }; /* at sessions, for one question */

/* After `before` (NULL: the first) of those that the question is about, the last refused first. */
static const struct session *next_refused(const struct broker *broker, uint64_t session, const struct session *before)
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
    const struct session *of = next_refused(broker, session, NULL);
    size_t count = 0;
    for (int looks = 0; of && count < max && looks < REFUSED_LOOKS; of = next_refused(broker, session, of), looks++) {
        if (!of->refused_at || now - of->refused_at >= REMEMBERED) {
            break;
        }
        if (broker_shows(broker, explanation->viewer, of)) {
            struct why_entry *entry = &entries[count++];
            *entry = begin_entry(of);
            entry->since_ms = milliseconds(now - of->refused_at);
            entry->location = of->refused_location;
            entry->refusal = of->last_refusal;
            refresh(explanation, of, entry);
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
    for (size_t i = 1; i <= REFUSALS_REMEMBERED && count < max; i++) {
        const struct buried_refusal *buried =
            &broker->refusals[(broker->refusal_next + REFUSALS_REMEMBERED - i) % REFUSALS_REMEMBERED];
        bool is_wanted = buried->refused_at && (!session || buried->session == session) &&
                         explanation->now - buried->refused_at < REMEMBERED;
        if (is_wanted && broker_shows_user(broker, explanation->viewer, buried->uid)) {
            struct why_entry *entry = &entries[count++];
            *entry = (struct why_entry){.session = buried->session,
                                        .pid = buried->pid,
                                        .uid = buried->uid,
                                        .since_ms = milliseconds(explanation->now - buried->refused_at),
                                        .location = buried->location,
                                        .refusal = buried->refusal,
                                        .earliest_ms = UINT64_MAX};
            text_copy(entry->name, sizeof entry->name, buried->name);
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
    queue_walk_end(broker);
    return count + explain_buried(&explanation, session, &entries[count], max - count);
}

void why_bury(struct broker *broker, const struct session *session)
{
    if (!session->refused_at) {
        return;
    }
    struct buried_refusal *buried = &broker->refusals[broker->refusal_next];
    broker->refusal_next = (broker->refusal_next + 1) % REFUSALS_REMEMBERED;
    *buried = (struct buried_refusal){.session = session->id,
                                      .refused_at = session->refused_at,
                                      .pid = session->identity.pid,
                                      .uid = session->identity.uid,
                                      .location = session->refused_location,
                                      .refusal = session->last_refusal};
    text_copy(buried->name, sizeof buried->name, session->name);
}

/* ---- what is remembered ---- */

const struct learned_table *broker_learned(const struct broker *broker)
{
    return &broker->learned;
}

void broker_restore_learned(struct broker *broker, const struct learned_key *key, uint64_t bytes)
{
    learned_note(&broker->learned, key, bytes);
}
