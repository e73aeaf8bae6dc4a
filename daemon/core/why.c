/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explaining: what each waiting request waits for, who holds it, and when enough of it could come free. Nothing here
 * changes anything but the cursors of a walk over the queue.
 */
#include <stdlib.h>
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

struct coming_free {
    uint64_t at, bytes;
};

static int compare_times(const void *a, const void *b)
{
    const struct coming_free *left = a, *right = b;
    return (left->at > right->at) - (left->at < right->at);
}

static bool counts_against(const struct lease *lease, const struct account *account, enum ledger_limit limit)
{
    bool kind = limit == LEDGER_MAX_BYTES || (limit == LEDGER_MAX_PHYSICAL_BYTES) == (lease->location == LOCATION_RAM);
    return kind && account_stands_under(&lease->session->account, account);
}

/*
 * If no lease is renewed and none comes: when the leases that end first have given back what lacks. UINT64_MAX: never,
 * since even all of them don't hold so much.
 */
static uint64_t earliest(const struct broker *broker, const struct account *account, enum ledger_limit limit,
                         uint64_t lacking, uint64_t now)
{
    struct coming_free *times = calloc(broker->leases.alive + 1, sizeof *times);
    const struct lease *lease = lease_table_next(&broker->leases, 0);
    uint64_t freed = 0, when = UINT64_MAX;
    size_t count = 0;
    for (; times && lease; lease = lease_table_next(&broker->leases, lease->id)) {
        if (lease->state == LEASE_ALIVE && counts_against(lease, account, limit)) {
            const struct session *session = lease->session;
            uint64_t end = session->state == SESSION_DETACHED ? session->grace_until : lease_deadline(lease);
            times[count++] =
                (struct coming_free){lease->revoke_at ? size_min(end, lease->revoke_at) : end, lease->bytes};
        }
    }
    if (times) {
        qsort(times, count, sizeof *times, compare_times);
    }
    for (size_t i = 0; i < count && when == UINT64_MAX; i++) {
        freed += times[i].bytes;
        when = freed >= lacking ? times[i].at : UINT64_MAX;
    }
    free(times);
    return lacking == 0 ? 0 : when == UINT64_MAX ? when : milliseconds(size_subtract_floored(when, now));
}

/* The figures as they are now; what is being freed will be there at once. */
static void refresh(const struct broker *broker, const struct identity *viewer, const struct session *session,
                    uint64_t now, struct why_entry *entry)
{
    struct refusal *refusal = &entry->refusal;
    bool is_host_memory = strcmp(refusal->limit, "available_memory") == 0;
    const struct account *account = find_account(broker, session, refusal->whose);
    const struct session *largest[MESSAGE_HOLDERS_MAX + 1];
    enum ledger_limit limit = limit_named(refusal->limit);
    if (!account) {
        return;
    }
    if (!is_host_memory) {
        refusal->limit_bytes = account_limit(account, limit);
        refusal->used_bytes = account_used(account, limit);
    }
    uint64_t taken = size_add_saturated(refusal->used_bytes, refusal->reserved_bytes);
    refusal->free_bytes = size_subtract_floored(refusal->limit_bytes, taken);
    refusal->holder_count = find_holders(broker, account, limit, largest);
    for (size_t i = 0; i < refusal->holder_count; i++) {
        fill_holder(broker, viewer, largest[i], limit, &refusal->holders[i]);
    }
    uint64_t coming = refusal->free_bytes + (is_host_memory ? 0 : account_freeing(account, limit));
    entry->earliest_ms = earliest(broker, account, limit, size_subtract_floored(refusal->asked_bytes, coming), now);
}

/* ---- explaining ---- */

static struct why_entry begin_entry(const struct session *session)
{
    struct why_entry entry = {
        .session = session->id, .pid = session->identity.pid, .uid = session->identity.uid, .earliest_ms = UINT64_MAX};
    text_copy(entry.name, sizeof entry.name, session->name);
    return entry;
}

static size_t explain_waiting(struct broker *broker, const struct identity *viewer, uint64_t session, uint64_t now,
                              struct why_entry *entries, size_t max)
{
    const struct waiting *waiting = queue_walk_first(broker, now);
    size_t count = 0;
    for (uint64_t place = 1; waiting && count < max; waiting = queue_walk_next(broker, now), place++) {
        if ((session && waiting->session->id != session) || !broker_shows(broker, viewer, waiting->session)) {
            continue;
        }
        struct why_entry *entry = &entries[count++];
        *entry = begin_entry(waiting->session);
        entry->waits = true;
        entry->place = place;
        entry->since_ms = milliseconds(now - waiting->since);
        entry->location = waiting->blocked_location;
        entry->refusal = waiting->blocked;
        refresh(broker, viewer, waiting->session, now, entry);
    }
    return count;
}

size_t broker_explain(struct broker *broker, const struct identity *viewer, uint64_t session, uint64_t now,
                      struct why_entry *entries, size_t max)
{
    size_t count = explain_waiting(broker, viewer, session, now, entries, max);
    const struct session *of = session_table_next(&broker->sessions, 0);
    for (; of && count < max; of = session_table_next(&broker->sessions, of->id)) {
        bool is_wanted = (!session || of->id == session) && of->refused_at && now - of->refused_at < REMEMBERED &&
                         broker_shows(broker, viewer, of);
        if (is_wanted) {
            struct why_entry *entry = &entries[count++];
            *entry = begin_entry(of);
            entry->since_ms = milliseconds(now - of->refused_at);
            entry->location = of->refused_location;
            entry->refusal = of->last_refusal;
            refresh(broker, viewer, of, now, entry);
        }
    }
    return count;
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
