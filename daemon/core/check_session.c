/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what each counts, the slots it has given out, and the lists and trees that it is in. */
#include "daemon/core/check.h"

#include <string.h>

static bool has_smaller_id(const struct session *a, const struct session *b)
{
    return a->id < b->id;
}

static bool ends_before(const struct session *a, const struct session *b)
{
    return a->grace_until < b->grace_until || (a->grace_until == b->grace_until && a->id < b->id);
}

static bool stands_before(const struct session *a, const struct session *b)
{
    return a->identity.uid < b->identity.uid || (a->identity.uid == b->identity.uid && a->id < b->id);
}

CHECK_TREE(check_ids, session, by_id, has_smaller_id)
CHECK_TREE(check_users, session, by_user, stands_before)
CHECK_TREE(check_graces, session, by_grace, ends_before)

/* ---- slots ---- */

static const char *check_free_slots(const struct slot_table *slots, uint32_t free_slots)
{
    const char *wrong = NULL;
    uint32_t listed = 0, last = UINT32_MAX, at = slots->first_free;
    for (; at < slots->count && listed <= free_slots; at = slots->slots[at].next_free) {
        wrong = require(wrong, slots->slots[at].generation % 2 == 0, "a slot in use is listed as free");
        last = at;
        listed++;
    }
    wrong = require(wrong, listed == free_slots && at == UINT32_MAX, "the list of free slots is not that of all");
    return require(wrong, last == slots->last_free, "last_free is not the last free slot");
}

const char *check_slots(const struct session *session)
{
    const struct slot_table *slots = &session->slots;
    const struct lease *lease;
    const char *wrong = NULL;
    uint32_t taken = 0;
    wrong = require(wrong, slots->count <= slots->capacity && slots->capacity <= slots->capacity_max,
                    "a table of slots is larger than it may be");
    for (uint32_t i = 0; i < slots->count; i++) {
        taken += slots->slots[i].generation % 2;
    }
    wrong = require(wrong, taken == session->lease_count, "the slots in use are not one for each lease");
    for (lease = session_next_lease(session, 0); lease; lease = session_next_lease(session, lease->id)) {
        bool is_its = lease->slot < slots->count && slots->slots[lease->slot].generation == lease->generation;
        wrong = require(wrong, is_its, "a lease has another generation than its slot");
    }
    return wrong ? wrong : check_free_slots(slots, slots->count - taken);
}

/* ---- one session ---- */

static const char *check_its_leases(const struct broker *broker, const struct session *session)
{
    const struct lease *lease;
    const char *wrong = NULL;
    uint64_t leases = 0, used[LOCATIONS] = {0};
    for (lease = session_next_lease(session, 0); lease; lease = session_next_lease(session, lease->id)) {
        leases++;
        used[lease->location] += lease->used_bytes;
        wrong = require(wrong, lease->session == session, "a session has another one's lease");
        wrong = require(wrong, lease_table_find(&broker->leases, lease->id) == lease,
                        "a session has a lease that the table does not");
    }
    wrong = require(wrong, memcmp(used, session->used, sizeof used) == 0,
                    "a session's use is not the sum of what it reports of its leases");
    return require(wrong, leases == session->lease_count, "a session miscounts its leases (lease_count)");
}

static const char *check_its_segments(const struct broker *broker, const struct session *session)
{
    const struct segment *segment = segment_tree_next(broker, 0);
    const char *wrong = NULL;
    uint64_t segments = 0, makings = 0;
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        bool is_its = segment->lease && segment->lease->session == session;
        segments += is_its;
        makings += is_its && segment->state == SEGMENT_MAKING;
    }
    wrong = require(wrong, segments == session->segment_count, "a session miscounts its segments (segment_count)");
    return require(wrong, makings == session->makings, "a session miscounts what is being made for it (makings)");
}

static const char *check_its_requests(const struct session *session)
{
    const struct waiting *waiting;
    const char *wrong = NULL;
    size_t count = 0;
    TAILQ_FOREACH(waiting, &session->waiting, in_session) {
        bool is_right = waiting->session == session && waiting->share == session->share;
        wrong = require(wrong, is_right, "a waiting request stands in the wrong place");
        count++;
    }
    return require(wrong, count == session->waiting_count, "a session miscounts its requests (waiting_count)");
}

static const char *check_its_end(const struct session *session)
{
    bool is_over = session->state == SESSION_OVER;
    const char *wrong = NULL;
    wrong = require(wrong, is_over || !session->draining, "a living session drains");
    wrong = require(wrong, !is_over || session->draining || !session->lease_count, "a drained session has leases");
    wrong = require(wrong, !is_over || !session->waiting_count, "a request of a session that is over waits");
    return require(wrong, session->state == SESSION_CONNECTED || !session->trim_until,
                   "an answer is awaited of a session that is not connected");
}

static const char *check_session(const struct broker *broker, const struct session *session)
{
    const char *wrong = check_its_leases(broker, session);
    wrong = wrong ? wrong : check_its_segments(broker, session);
    wrong = wrong ? wrong : check_its_requests(session);
    wrong = wrong ? wrong : check_its_end(session);
    wrong = wrong ? wrong : check_slots(session);
    return require(wrong, session->id < broker->next_session, "a session's number was not given out yet");
}

/* ---- the table ---- */

/* How many sessions are in each list of the table, by themselves. */
struct counts {
    uint64_t detached, holding, trimming, refused;
};

/* The walk over all sessions relies on these. */
static const char *check_states(const struct session_table *table)
{
    const struct session *session = session_table_next(table, 0);
    const char *wrong = NULL;
    for (; session; session = session_table_next(table, session->id)) {
        wrong = require(wrong, session->state != SESSION_OVER, "a session that is over can be found");
    }
    TAILQ_FOREACH(session, &table->over, in_over) {
        bool drains = session->state == SESSION_OVER && session->draining;
        wrong = require(wrong, drains, "a session that does not drain is in the list of those");
    }
    return wrong;
}

static const char *check_trees(const struct session_table *table, uint64_t detached)
{
    const struct session *before = NULL;
    const char *wrong = NULL;
    uint64_t count = 0, graces = 0, users = 0;
    wrong = require(wrong, check_ids(RB_ROOT(&table->by_id), &before, &count), "the sessions are out of order");
    before = NULL;
    wrong =
        require(wrong, check_users(RB_ROOT(&table->by_user), &before, &users), "a user's sessions are out of order");
    before = NULL;
    wrong = require(wrong, check_graces(RB_ROOT(&table->by_grace), &before, &graces), "the graces are out of order");
    wrong = require(wrong, count == table->count, "the number of sessions (count) is wrong");
    wrong = require(wrong, users == count, "the sessions of all users are not all sessions");
    return require(wrong, graces == detached, "the sessions with a grace time are not those that are detached");
}

static const char *check_lists(const struct broker *broker, const struct counts *counts)
{
    const struct session *session;
    const char *wrong = NULL;
    uint64_t holding = 0, trimming = 0, refused = 0;
    TAILQ_FOREACH(session, &broker->sessions.holding, in_holding) {
        wrong = require(wrong, session->segment_count > 0, "a session that holds nothing is among those that hold");
        holding++;
    }
    TAILQ_FOREACH(session, &broker->trimming, in_trimming) {
        wrong = require(wrong, session->trim_until > 0, "no answer is awaited of a session in the list of those");
        trimming++;
    }
    TAILQ_FOREACH(session, &broker->sessions.refused, in_refused) {
        const struct session *older = TAILQ_NEXT(session, in_refused);
        bool is_right = session->refused_at && (!older || older->refused_at <= session->refused_at);
        wrong = require(wrong, is_right, "the list of refused sessions is out of order");
        refused++;
    }
    wrong = require(wrong, refused == counts->refused, "a session that was refused something is not listed");
    wrong = require(wrong, holding == counts->holding, "a session that holds something is not among those that hold");
    wrong = require(wrong, trimming == counts->trimming, "a session whose answer is awaited is not listed");
    return require(wrong, trimming == broker->trims_pending, "trims_pending is not the number of answers awaited");
}

const char *check_sessions(const struct broker *broker)
{
    const struct session *session = NULL;
    struct counts counts = {0};
    const char *wrong = check_states(&broker->sessions);
    while (!wrong && (session = check_walk_next(broker, session))) {
        counts.detached += session->state == SESSION_DETACHED;
        counts.refused += session->refused_at > 0 && session->state != SESSION_OVER;
        counts.holding += session->segment_count > 0;
        counts.trimming += session->trim_until > 0;
        wrong = check_session(broker, session);
    }
    wrong = wrong ? wrong : check_trees(&broker->sessions, counts.detached);
    return wrong ? wrong : check_lists(broker, &counts);
}
