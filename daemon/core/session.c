/* SPDX-License-Identifier: Apache-2.0 */
/* The session table and the transitions of a session. */
#include "daemon/core/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/control_page.h"

static int compare_ids(const struct session *a, const struct session *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_graces(const struct session *a, const struct session *b)
{
    int order = (a->grace_until > b->grace_until) - (a->grace_until < b->grace_until);
    return order ? order : compare_ids(a, b);
}

static int compare_users(const struct session *a, const struct session *b)
{
    int order = (a->identity.uid > b->identity.uid) - (a->identity.uid < b->identity.uid);
    return order ? order : compare_ids(a, b);
}

static int compare_leases(const struct lease *a, const struct lease *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

TREE_GENERATE(session_user_tree, session, by_user, compare_users)
TREE_GENERATE(lease_session_tree, lease, by_session, compare_leases)
TREE_GENERATE(session_id_tree, session, by_id, compare_ids)
TREE_GENERATE(session_grace_tree, session, by_grace, compare_graces)

void session_table_init(struct session_table *table)
{
    RB_INIT(&table->by_id);
    RB_INIT(&table->by_user);
    RB_INIT(&table->by_grace);
    TAILQ_INIT(&table->refused);
    TAILQ_INIT(&table->over);
    TAILQ_INIT(&table->holding);
    table->count = 0;
}

struct policy_client session_client(const struct session *session)
{
    return (struct policy_client){&session->identity, session->name, session->control_groups};
}

void session_join(struct principal_table *principals, struct session *session, struct share *share)
{
    struct account *above[ACCOUNT_ABOVE_MAX];
    session->share = share;
    share_accounts(principals, share, above);
    account_move(&session->account, above);
    share_count_session(share, true);
}

void session_set_room(struct session *session, const struct control_room *room)
{
    if (room->slots) {
        session->slots.capacity_max = room->slots;
        session->slots.generation = room->generation;
    }
}

static void enter(struct session_table *table, struct session *session)
{
    const struct session *twin = RB_INSERT(session_id_tree, &table->by_id, session);
    assert(!twin);
    (void)twin;
    RB_INSERT(session_user_tree, &table->by_user, session);
    table->count++;
}

/* Memory, with what is to be copied into memory of its own. */
static struct session *session_alloc(const struct session_terms *terms)
{
    size_t size = terms->control_groups ? strlen(terms->control_groups) + 1 : 0;
    char *groups = size > 0 ? malloc(size) : NULL;
    struct session *session = size == 0 || groups ? calloc(1, sizeof *session) : NULL;
    if (!session) {
        free(groups);
        return NULL;
    }
    if (groups) {
        memcpy(groups, terms->control_groups, size);
    }
    session->control_groups = groups;
    return session;
}

struct session *session_new(struct session_table *table, struct principal_table *principals, struct share *share,
                            const struct session_terms *terms)
{
    struct session *session = share ? session_alloc(terms) : NULL;
    if (!session) {
        if (share) {
            share_leave(principals, share);
        }
        return NULL;
    }
    session->id = terms->id;
    session->identity = *terms->identity;
    session->state = SESSION_CONNECTED;
    session->token = *terms->token;
    session->reason = *terms->reason;
    session->peer = terms->peer;
    memcpy(session->name, terms->name, sizeof session->name);
    account_init(&session->account, "client", terms->limits);
    slot_table_init(&session->slots, CONTROL_SLOTS_MAX);
    session_set_room(session, terms->room);
    RB_INIT(&session->leases);
    TAILQ_INIT(&session->waiting);
    TAILQ_INIT(&session->objects);
    TAILQ_INIT(&session->watches);
    session_join(principals, session, share);
    enter(table, session);
    return session;
}

void session_add_lease(struct session *session, struct lease *lease)
{
    RB_INSERT(lease_session_tree, &session->leases, lease);
    session->lease_count++;
    share_count_leases(session->share, 1, true);
}

void session_note_use(struct session *session, struct lease *lease, uint64_t used_bytes)
{
    uint64_t *used = &session->used[lease->location];
    assert(*used >= lease->used_bytes);
    *used = *used - lease->used_bytes + used_bytes;
    lease->used_bytes = used_bytes;
}

void session_remove_lease(struct session *session, struct lease *lease)
{
    session_note_use(session, lease, 0);
    RB_REMOVE(lease_session_tree, &session->leases, lease);
    session->lease_count--;
    share_count_leases(session->share, 1, false);
}

struct lease *session_next_lease(const struct session *session, uint64_t id)
{
    if (id == UINT64_MAX) {
        return NULL;
    }
    struct lease key = {.id = id + 1};
    return RB_NFIND(lease_session_tree, TREE_FOR_LOOKUP(lease_session_tree, &session->leases), &key);
}

void session_add_segment(struct session_table *table, struct session *session)
{
    if (session->segment_count++ == 0) {
        TAILQ_INSERT_TAIL(&table->holding, session, in_holding);
    }
}

void session_remove_segment(struct session_table *table, struct session *session)
{
    if (--session->segment_count == 0) {
        TAILQ_REMOVE(&table->holding, session, in_holding);
    }
}

void session_free(struct session *session)
{
    assert(session->state == SESSION_OVER && !session->lease_count && !session->segment_count);
    assert(!session->makings && !session->waiting_count);
    account_deinit(&session->account);
    slot_table_deinit(&session->slots);
    free(session->control_groups);
    free(session);
}

struct session *session_table_next(const struct session_table *table, uint64_t id)
{
    struct session *at = RB_ROOT(&table->by_id);
    struct session *best = NULL;
    while (at) {
        if (at->id > id) {
            best = at;
            at = RB_LEFT(at, by_id);
        } else {
            at = RB_RIGHT(at, by_id);
        }
    }
    return best;
}

struct session *session_table_following(const struct session *session)
{
    return RB_NEXT(session_id_tree, NULL, (struct session *)(uintptr_t)session);
}

struct session *session_table_next_of_user(const struct session_table *table, uint32_t uid, uint64_t id)
{
    struct session *at = RB_ROOT(&table->by_user);
    struct session *best = NULL;
    while (at) {
        if (at->identity.uid > uid || (at->identity.uid == uid && at->id > id)) {
            best = at;
            at = RB_LEFT(at, by_user);
        } else {
            at = RB_RIGHT(at, by_user);
        }
    }
    return best && best->identity.uid == uid ? best : NULL;
}

void session_note_refusal(struct session_table *table, struct session *session, uint64_t now)
{
    if (session->refused_at) {
        TAILQ_REMOVE(&table->refused, session, in_refused);
    }
    session->refused_at = now;
    TAILQ_INSERT_HEAD(&table->refused, session, in_refused);
}

struct session *session_table_find(const struct session_table *table, uint64_t id)
{
    struct session *found = id ? session_table_next(table, id - 1) : NULL;
    return found && found->id == id ? found : NULL;
}

void session_detach(struct session_table *table, struct session *session, uint64_t until)
{
    assert(session->state == SESSION_CONNECTED);
    session->state = SESSION_DETACHED;
    session->grace_until = until;
    RB_INSERT(session_grace_tree, &table->by_grace, session);
}

static void leave_grace(struct session_table *table, struct session *session)
{
    if (session->state == SESSION_DETACHED) {
        RB_REMOVE(session_grace_tree, &table->by_grace, session);
    }
}

void session_attach(struct session_table *table, struct session *session)
{
    assert(session->state != SESSION_OVER);
    leave_grace(table, session);
    session->state = SESSION_CONNECTED;
}

void session_postpone(struct session_table *table, struct session *session, uint64_t until)
{
    session_attach(table, session);
    session_detach(table, session, until);
}

struct session *session_table_first_grace(const struct session_table *table)
{
    return RB_MIN(session_grace_tree, TREE_FOR_LOOKUP(session_grace_tree, &table->by_grace));
}

void session_end(struct session_table *table, struct session *session, enum end_reason reason)
{
    assert(session->state != SESSION_OVER);
    leave_grace(table, session);
    RB_REMOVE(session_id_tree, &table->by_id, session);
    RB_REMOVE(session_user_tree, &table->by_user, session);
    if (session->refused_at) {
        TAILQ_REMOVE(&table->refused, session, in_refused);
    }
    table->count--;
    session->state = SESSION_OVER;
    session->over_reason = reason;
    TAILQ_INSERT_TAIL(&table->over, session, in_over);
}

void session_drained(struct session_table *table, struct session *session)
{
    TAILQ_REMOVE(&table->over, session, in_over);
}

void session_bury(struct session *session, uint64_t lease, enum end_reason reason)
{
    session->tombstones[session->tombstone_next] = (struct lease_end){.lease = lease, .reason = reason};
    session->tombstone_next = (session->tombstone_next + 1) % SESSION_TOMBSTONES;
}

enum end_reason session_recall(const struct session *session, uint64_t lease)
{
    for (size_t i = 0; i < SESSION_TOMBSTONES; i++) {
        if (session->tombstones[i].lease == lease && lease) {
            return session->tombstones[i].reason;
        }
    }
    return END_NONE;
}

struct learned_key session_learned_key(const struct session *session, const char *workspace)
{
    struct learned_key key = {.uid = identity_charged(&session->identity)};
    text_copy(key.class, sizeof key.class, session->share->class->name);
    text_copy(key.client, sizeof key.client, session->name);
    text_copy(key.workspace, sizeof key.workspace, workspace);
    return key;
}
