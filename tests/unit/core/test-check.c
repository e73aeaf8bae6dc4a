/* SPDX-License-Identifier: Apache-2.0 */
/* broker_check() notices: each of its invariants is broken by hand, once. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/check.h"
#include "tests/unit/core/noticed.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

TestSuite(check);

static struct model *model;
static struct broker *broker;
static struct session *session, *other;
static struct lease *lease, *file, *making;
static struct segment *segment, *freed;

static struct request acquire(uint64_t bytes, enum location location, const char *name, uint32_t ttl_ms)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = bytes, .location = location, .numa_node = -1, .learned = true, .ttl_ms = ttl_ms};
    (void)stpncpy(request.acquire.name, name, sizeof request.acquire.name - 1);
    return request;
}

static struct session *session_of(int peer)
{
    return session_table_find(&broker->sessions, model->peers[peer].session);
}

static void have(int peer, uint64_t bytes, enum location location, const char *name, uint32_t ttl_ms)
{
    struct request request = acquire(bytes, location, name, ttl_ms);
    cr_assert(model_request(model, peer, &request)->kind == REPLY_GRANT);
}

static void disconnect(int peer)
{
    struct input left = {.kind = INPUT_DISCONNECTED, .session = model->peers[peer].session};
    model_feed(model, &left);
}

/*
 * A session with leases in RAM and in a file, with one that ended and is not freed, and one that is being made; a
 * second one with requests that wait, for one of which the first one's lease will be taken; two that are detached, the
 * later one first; and one that holds nothing.
 */
static struct lease *last_lease(const struct session *of)
{
    struct lease *last = NULL, *next = session_next_lease(of, 0);
    for (; next; next = session_next_lease(of, next->id)) {
        last = next;
    }
    return last;
}

static void begin(void)
{
    model = model_new(0, 512 * MIB, 8 * MIB);
    broker = model->broker;
    model->options.settings.policy = &model_policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "a1", 1000);
    model_open_as(model, 1, "c1", 1001);
    model_open_as(model, 2, "b1", 1000);
    model_open_as(model, 3, "b1", 1000);
    model_open_as(model, 4, "b1", 1000);
    session = session_of(0);
    other = session_of(1);
    have(0, MIB, LOCATION_RAM, "w", 0);
    have(0, MIB, LOCATION_MMAP, "v", 0);
    have(0, 6 * MIB, LOCATION_RAM, "u", 0);
    have(2, 2 * MIB, LOCATION_RAM, "w", 0);
    have(3, MIB, LOCATION_RAM, "x", 0);
    have(1, MIB, LOCATION_RAM, "w", 20000);
    model->hold_frees = true;
    have(0, MIB, LOCATION_RAM, "gone", 0);
    (void)model_release(model, 0, last_lease(session)->id);
    disconnect(3);
    model_pass(model, 1);
    disconnect(2);
    (void)model_acquire_waiting(model, 1, 506 * MIB, 60000);
    (void)model_acquire_waiting(model, 1, 507 * MIB, 60000);
    model_pass(model, 1100);
    model->hold_makes = true;
    struct request small = acquire(4096, LOCATION_MMAP, "made", 0);
    (void)model_request(model, 0, &small);
    lease = session_next_lease(session, 0);
    file = session_next_lease(session, lease->id);
    making = last_lease(session);
    segment = TAILQ_FIRST(&lease->segments);
    freed = segment_tree_next(broker, 0);
    while (freed && freed->state != SEGMENT_FREEING) {
        freed = segment_tree_next(broker, freed->id);
    }
    cr_assert(freed, "something is being freed");
    cr_assert(broker->waiting_count == 2, "something waits");
    cr_assert(!TAILQ_EMPTY(&broker->revoking), "something will be taken");
    cr_assert(making->state == LEASE_MAKING, "something is being made");
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

static void end(void)
{
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
    model_free(model);
}

Test(check, segments, .init = begin, .fini = end)
{
    struct segment *made = TAILQ_FIRST(&making->segments);
    EXPECT_NOTICED(segment->lease, NULL, "nobody's");
    EXPECT_NOTICED(segment->charge.account, &broker->host, "another session's account");
    EXPECT_NOTICED(segment->charge.bytes, 0, "whole pages");
    EXPECT_NOTICED(segment->charge.bytes, 4097, "whole pages");
    EXPECT_NOTICED(segment->charge.freeing, true, "disagree");
    EXPECT_NOTICED(freed->charge.freeing, false, "disagree");
    EXPECT_NOTICED(segment->state, SEGMENT_FREEING, "is freed");
    EXPECT_NOTICED(segment->state, SEGMENT_POOLED, "in the pool");
    EXPECT_NOTICED(segment->charge.location, LOCATION_MMAP, "elsewhere");
    EXPECT_NOTICED(lease->state, LEASE_MAKING, "not alive");
    EXPECT_NOTICED(made->doomed, true, "is doomed");
    EXPECT_NOTICED(making->state, LEASE_ENDED, "is doomed");
    EXPECT_NOTICED(freed->lease->state, LEASE_ALIVE, "is freed");
    EXPECT_NOTICED(broker->segment_count, 0, "segment_count");
    EXPECT_NOTICED(segment->id, 1000, "out of order");
    EXPECT_NOTICED(broker->next_segment, made->id, "a segment's number");
    EXPECT_NOTICED(segment->host_epoch, 0, "host_granted_since");
    EXPECT_NOTICED(broker->host_granted_since, 0, "host_granted_since");
}

/* Of each account above the session's, the host's last, the figures are sums. */
Test(check, accounts, .init = begin, .fini = end)
{
    struct account *const accounts[] = {
        &session->account, &session->share->account, &session->share->user->account, &session->share->class->account,
        &broker->host,     &broker->pool.account};
    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
        struct account *account = accounts[i];
        EXPECT_NOTICED(account->used[LOCATION_RAM], 1, "(used)");
        EXPECT_NOTICED(account->used[LOCATION_MMAP], 1, "(used)");
        EXPECT_NOTICED(account->freeing[LOCATION_RAM], 1, "(freeing)");
        EXPECT_NOTICED(account->freeing[LOCATION_MMAP], 1, "(freeing)");
        EXPECT_NOTICED(account->revoking[LOCATION_RAM], 1, "(revoking)");
        EXPECT_NOTICED(account->revoking[LOCATION_MMAP], 1, "(revoking)");
        EXPECT_NOTICED(account->charges, 99, "miscounts its charges");
        EXPECT_NOTICED(account->claimed[LOCATION_RAM], 1, "(claimed)");
        EXPECT_NOTICED(account->claimed[LOCATION_MMAP], 1, "(claimed)");
        EXPECT_NOTICED(account->claimed_sum, 1, "(claimed_sum)");
    }
    EXPECT_NOTICED(session->share->account.above[0], &broker->host, "a share's account stands");
    EXPECT_NOTICED(session->share->class->account.above[0], &broker->host, "a principal's account stands");
    EXPECT_NOTICED(session->share->class->account.reserve_bytes, 1, "list of reserves");
    for (size_t i = 0; i < ACCOUNT_ABOVE_MAX; i++) {
        if (session->account.above[i]) {
            EXPECT_NOTICED(session->account.above[i], NULL, "stand under");
        }
    }
}

Test(check, leases, .init = begin, .fini = end)
{
    struct lease *marked = TAILQ_FIRST(&broker->revoking);
    struct lease *first = lease_table_first_due(&broker->leases), *second = lease_table_next_due(first);
    struct segment *made = TAILQ_FIRST(&making->segments);
    EXPECT_NOTICED(lease->bytes, 1, "sum of its segments");
    EXPECT_NOTICED(lease->extents, 9, "extents");
    EXPECT_NOTICED(lease->revocable, NULL, "wrong revocable set");
    EXPECT_NOTICED(file->revocable, &session->share->revocable[LOCATION_RAM], "wrong revocable set");
    EXPECT_NOTICED(marked->revocable, &session->share->revocable[LOCATION_RAM], "wrong revocable set");
    EXPECT_NOTICED(lease->revoke_at, lease->revoke_at ? 0 : 1, "wrong revocable set");
    EXPECT_NOTICED(session->share->revocable[LOCATION_RAM].bytes, 1, "a revocable set's bytes");
    EXPECT_NOTICED(session->share->revocable[LOCATION_MMAP].bytes, 1, "a revocable set's bytes");
    EXPECT_NOTICED(RB_ROOT(&session->share->revocable[LOCATION_MMAP].leases), NULL, "a revocable set has other leases");
    EXPECT_NOTICED_WHILE(TAILQ_REMOVE(&lease->segments, segment, in_lease),
                         TAILQ_INSERT_HEAD(&lease->segments, segment, in_lease), "extents");
    EXPECT_NOTICED(made->lease, file, "a segment of another one");
    EXPECT_NOTICED_WHILE(TAILQ_REMOVE(&freed->lease->segments, freed, in_lease),
                         TAILQ_INSERT_HEAD(&freed->lease->segments, freed, in_lease), "not in its lease's list");
    EXPECT_NOTICED(broker->next_lease, making->id, "a lease's number");
    EXPECT_NOTICED(broker->leases.alive, 9, "living leases");
    EXPECT_NOTICED_WHILE(lease_table_remove(&broker->leases, lease), lease_table_add(&broker->leases, lease),
                         "the table does not");
    EXPECT_NOTICED(first->due, UINT64_MAX, "due times are out of order");
    EXPECT_NOTICED(first->due, second->due, "due times are out of order");
    EXPECT_NOTICED(RB_ROOT(&broker->leases.by_due), NULL, "not every living lease");
    EXPECT_NOTICED(making->extents, 2, "extents");
    EXPECT_NOTICED(freed->lease->extents, 2, "extents");
    EXPECT_NOTICED_BY(check_leases, file->state, LEASE_ENDED, "is in the table");
}

Test(check, sessions, .init = begin, .fini = end)
{
    struct session *early = session_of(3), *late = session_of(2), *idle = session_of(4);
    EXPECT_NOTICED(session->lease_count, 9, "lease_count");
    EXPECT_NOTICED(session->segment_count, 9, "segment_count");
    EXPECT_NOTICED(session->makings, 0, "makings");
    EXPECT_NOTICED(session->used[LOCATION_RAM], 1, "not the sum of what it reports");
    EXPECT_NOTICED(session->used[LOCATION_MMAP], 1, "not the sum of what it reports");
    EXPECT_NOTICED(other->waiting_count, 0, "waiting_count");
    EXPECT_NOTICED(session->refused_at, 1, "refused something is not listed");
    EXPECT_NOTICED(lease->session, other, "another session's account");
    EXPECT_NOTICED(session->draining, true, "a living session drains");
    EXPECT_NOTICED(session->state, SESSION_OVER, "can be found");
    EXPECT_NOTICED(early->trim_until, 1, "not connected");
    EXPECT_NOTICED(session->trim_until, 1, "is not listed");
    EXPECT_NOTICED(broker->trims_pending, 1, "trims_pending");
    EXPECT_NOTICED(broker->next_session, idle->id, "a session's number");
    EXPECT_NOTICED(broker->sessions.count, 9, "number of sessions");
    EXPECT_NOTICED(idle->id, 1, "out of order");
    EXPECT_NOTICED(early->grace_until, late->grace_until, "graces are out of order");
    EXPECT_NOTICED(early->grace_until, UINT64_MAX, "graces are out of order");
    EXPECT_NOTICED(early->state, SESSION_CONNECTED, "with a grace time");
    EXPECT_NOTICED_WHILE(TAILQ_REMOVE(&broker->sessions.holding, session, in_holding),
                         TAILQ_INSERT_TAIL(&broker->sessions.holding, session, in_holding),
                         "not among those that hold");
    EXPECT_NOTICED_WHILE(TAILQ_INSERT_TAIL(&broker->sessions.holding, idle, in_holding),
                         TAILQ_REMOVE(&broker->sessions.holding, idle, in_holding), "that holds nothing");
    EXPECT_NOTICED_WHILE(TAILQ_INSERT_TAIL(&broker->trimming, session, in_trimming),
                         TAILQ_REMOVE(&broker->trimming, session, in_trimming), "no answer is awaited");
    EXPECT_NOTICED_WHILE(TAILQ_INSERT_TAIL(&broker->sessions.over, session, in_over),
                         TAILQ_REMOVE(&broker->sessions.over, session, in_over), "does not drain");
}

Test(check, sessions_with_a_refusal, .init = begin, .fini = end)
{
    struct session *idle = session_of(4);
    struct session_list *refused = &broker->sessions.refused;
    EXPECT_NOTICED_WHILE(TAILQ_INSERT_TAIL(refused, idle, in_refused), TAILQ_REMOVE(refused, idle, in_refused),
                         "refused sessions is out of order");
    session->refused_at = 1;
    idle->refused_at = 2;
    TAILQ_INSERT_TAIL(refused, session, in_refused);
    EXPECT_NOTICED_WHILE(TAILQ_INSERT_TAIL(refused, idle, in_refused), TAILQ_REMOVE(refused, idle, in_refused),
                         "refused sessions is out of order");
    TAILQ_REMOVE(refused, session, in_refused);
    session->refused_at = idle->refused_at = 0;
}

Test(check, slots, .init = begin, .fini = end)
{
    struct slot_table *slots = &session->slots;
    EXPECT_NOTICED(slots->capacity, 0, "larger than it may be");
    EXPECT_NOTICED(slots->capacity_max, 1, "larger than it may be");
    EXPECT_NOTICED(slots->slots[lease->slot].generation, 2, "in use are not one for each lease");
    EXPECT_NOTICED(slots->slots[lease->slot].generation, 3, "another generation");
    EXPECT_NOTICED(lease->slot, 1000, "another generation");
    EXPECT_NOTICED(slots->first_free, UINT32_MAX, "list of free slots");
    EXPECT_NOTICED(slots->first_free, lease->slot, "a slot in use is listed as free");
    EXPECT_NOTICED(slots->slots[slots->last_free].next_free, slots->last_free, "list of free slots");
    EXPECT_NOTICED(slots->slots[slots->last_free].next_free, 1000, "list of free slots");
    EXPECT_NOTICED(slots->last_free, UINT32_MAX, "last_free");
}

Test(check, sessions_that_have_ended)
{
    model = model_new(0, 512 * MIB, 0);
    broker = model->broker;
    model->hold_frees = true;
    model_open_as(model, 0, "a1", 1000);
    model_open_as(model, 1, "a1", 1000);
    session = session_of(0);
    other = session_of(1);
    have(0, MIB, LOCATION_RAM, "", 0);
    for (int i = 0; i < EFFECTS_MAX; i++) {
        have(1, 4096, LOCATION_RAM, "", 0);
    }
    for (int peer = 0; peer < 2; peer++) {
        struct input died = {.kind = INPUT_DIED, .session = model->peers[peer].session};
        model_feed(model, &died);
    }
    cr_assert(!session->draining && other->draining, "one is over, and one is not yet");
    EXPECT_NOTICED(session->waiting_count, 1, "waiting_count");
    EXPECT_NOTICED(session->draining, true, "not among those that hold");
    EXPECT_NOTICED(other->draining, false, "does not drain");
    EXPECT_NOTICED(other->state, SESSION_CONNECTED, "does not drain");
    struct waiting waits = {.session = session, .share = session->share};
    TAILQ_INSERT_TAIL(&session->waiting, &waits, in_session);
    EXPECT_NOTICED(session->waiting_count, 1, "a request of a session that is over");
    TAILQ_REMOVE(&session->waiting, &waits, in_session);
    TAILQ_REMOVE(&broker->sessions.over, other, in_over);
    EXPECT_NOTICED(other->draining, false, "a drained session has leases");
    TAILQ_INSERT_TAIL(&broker->sessions.over, other, in_over);
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 1);
    end();
}

Test(check, principals_and_shares, .init = begin, .fini = end)
{
    struct share *share = session->share;
    struct principal *user = other->share->user, *class = other->share->class;
    EXPECT_NOTICED(user->sessions, 9, "miscounts its sessions");
    EXPECT_NOTICED(class->sessions, 9, "miscounts its sessions");
    EXPECT_NOTICED(user->leases, 9, "miscounts its leases");
    EXPECT_NOTICED(class->leases, 9, "miscounts its leases");
    EXPECT_NOTICED(user->waiting, 1, "(waiting)");
    EXPECT_NOTICED(user->waiting_bytes, 1, "(waiting_bytes)");
    EXPECT_NOTICED(share->user->account.peak[LOCATION_RAM], 0, "(peak)");
    EXPECT_NOTICED(share->user->account.peak_sum, 0, "(peak_sum)");
    EXPECT_NOTICED(class->waiting, 9, "(waiting)");
    EXPECT_NOTICED(share->user->under_way, 0, "(under_way)");
    EXPECT_NOTICED(class->under_way, 2, "(under_way)");
    EXPECT_NOTICED(user->references, 9, "a principal miscounts its references");
    EXPECT_NOTICED(user->account.limits.max_bytes, 9, "other limits");
    EXPECT_NOTICED(share->references, 9, "a share miscounts its references");
}

Test(check, a_principal_exists_while_it_is_named_or_referenced)
{
    model = model_new(0, 512 * MIB, 0);
    broker = model->broker;
    model->options.settings.policy = &model_policy;
    model_configure(model);
    EXPECT_NOTICED(TAILQ_FIRST(&broker->principals.principals[PRINCIPAL_CLASS])->is_named, false,
                   "that nobody refers to");
    end();
}

Test(check, waiting, .init = begin, .fini = end)
{
    struct waiting *first = TAILQ_FIRST(&other->share->waiting), *second = TAILQ_NEXT(first, in_share);
    struct lease *marked = TAILQ_FIRST(&broker->revoking);
    EXPECT_NOTICED(first->share, session->share, "wrong place");
    EXPECT_NOTICED(first->session, session, "wrong place");
    EXPECT_NOTICED(first->number, 0, "wrong place");
    EXPECT_NOTICED(first->number, second->number, "wrong place");
    EXPECT_NOTICED(first->has_claimed, true, "has_claimed");
    EXPECT_NOTICED(broker->next_waiting, 1, "a request's number");
    EXPECT_NOTICED(broker->waiting_count, 99, "waiting_count");
    EXPECT_NOTICED(broker->waiting_bytes, 99, "waiting_bytes");
    EXPECT_NOTICED(marked->revoke_for, NULL, "among the victims");
    EXPECT_NOTICED_WHILE(TAILQ_REMOVE(&first->victims, marked, in_victims),
                         TAILQ_INSERT_HEAD(&first->victims, marked, in_victims), "nobody's victim");
    EXPECT_NOTICED_BY(check_queue, marked->revoke_at, 0, "among the victims");
    EXPECT_NOTICED_BY(check_queue, first->share, session->share, "wrong place");
    EXPECT_NOTICED_BY(check_queue, first->session, session, "wrong place");
    TAILQ_INSERT_TAIL(&broker->spared, lease, in_revoking);
    EXPECT_NOTICED(lease->is_spared, false, "that is not spared");
    lease->is_spared = true;
    EXPECT_NOTICED_BY(check_queue, lease->revoke_at, 1, "that is not spared");
    TAILQ_REMOVE(&broker->spared, lease, in_revoking);
    lease->is_spared = false;
}

/* While something waits nothing is made ahead. */
static void begin_with_a_pool(void)
{
    model = model_new(0, 512 * MIB, 0);
    broker = model->broker;
    model->options.settings.pool =
        (struct pool_settings){.bytes = 2 * MIB, .sizes = {.bytes = {MIB, 4096}, .count = 2}};
    model_configure(model);
    model_pass(model, 100);
}

Test(check, the_pool, .init = begin_with_a_pool, .fini = end)
{
    struct segment *ready = TAILQ_FIRST(&broker->pool.ready);
    cr_assert(ready, "the pool has something");
    EXPECT_NOTICED(ready->state, SEGMENT_LIVE, "of the pool is lent out");
    EXPECT_NOTICED(ready->state, SEGMENT_MAKING, "not its own");
    EXPECT_NOTICED(ready->doomed, true, "of the pool is doomed");
    EXPECT_NOTICED(ready->charge.location, LOCATION_MMAP, "of the pool is a file");
    EXPECT_NOTICED(broker->pool.sizes[0].ready, 99, "is ready of a size");
    EXPECT_NOTICED(broker->pool.sizes[0].making, 99, "is made of a size");
    EXPECT_NOTICED(broker->pool.making, 99, "is being made");
    EXPECT_NOTICED_WHILE(TAILQ_REMOVE(&broker->pool.ready, ready, in_pool),
                         TAILQ_INSERT_HEAD(&broker->pool.ready, ready, in_pool), "not in its list");
}

Test(check, learned_sizes, .init = begin, .fini = end)
{
    struct learned_table *table = &broker->learned;
    struct learned_size *first = TAILQ_FIRST(&table->by_use);
    struct learned_user *user = first->user;
    cr_assert(user->count > 1 && table->count > user->count, "two users have learned sizes");
    EXPECT_NOTICED(first->used, table->uses, "learned sizes are out of order");
    EXPECT_NOTICED(table->count, 99, "(count)");
    EXPECT_NOTICED(RB_ROOT(&table->by_key), NULL, "by key");
    EXPECT_NOTICED(first->user, NULL, "another's learned size");
    EXPECT_NOTICED(user->uid, 7, "another's learned size");
    EXPECT_NOTICED(user->count, 9, "a user miscounts its learned sizes");
    EXPECT_NOTICED(RB_ROOT(&table->users), NULL, "of the users are not all");
    EXPECT_NOTICED(table->uses, 1, "more sizes are learned");
    EXPECT_NOTICED_WHILE(TAILQ_REMOVE(&user->sizes, first, of_user);
                         TAILQ_INSERT_TAIL(&user->sizes, first, of_user), TAILQ_REMOVE(&user->sizes, first, of_user);
                         TAILQ_INSERT_HEAD(&user->sizes, first, of_user), "a user's learned sizes are out of order");
    const struct learned_list sizes = user->sizes;
    EXPECT_NOTICED_WHILE(TAILQ_INIT(&user->sizes), user->sizes = sizes, "a user miscounts its learned sizes");
    learned_note(table, &(struct learned_key){.uid = 1, .workspace = "left"}, MIB);
    EXPECT_NOTICED(TAILQ_LAST(&table->by_use, learned_list)->user->count, 9, "a user miscounts its learned sizes");
}

Test(check, the_number_of_learned_sizes_is_bounded, .init = begin, .fini = end)
{
    struct learned_table *table = &broker->learned;
    struct learned_key key = {.uid = 1};
    for (int i = 0; i < LEARNED_MAX; i++) {
        (void)snprintf(key.workspace, sizeof key.workspace, "%d", i);
        learned_note(table, &key, MIB);
    }
    struct learned_size *least = RB_ROOT(&table->by_key);
    while (RB_LEFT(least, by_key)) {
        least = RB_LEFT(least, by_key);
    }
    struct learned_user *user = least->user;
    struct learned_size more = {.key = key, .used = ++table->uses, .user = user};
    TAILQ_INSERT_TAIL(&table->by_use, &more, by_use);
    TAILQ_INSERT_TAIL(&user->sizes, &more, of_user);
    table->count++;
    user->count++;
    EXPECT_NOTICED(RB_LEFT(least, by_key), &more, "more sizes are learned");
    table->count--;
    user->count--;
    TAILQ_REMOVE(&user->sizes, &more, of_user);
    TAILQ_REMOVE(&table->by_use, &more, by_use);
}

/* Each of many sessions, of descending users, has a lease, and is detached; the first also has many in files. */
static void begin_with_many(void)
{
    model = model_new(0, 512 * MIB, 512 * MIB);
    broker = model->broker;
    for (int peer = 0; peer < MODEL_PEERS; peer++) {
        model_open_as(model, peer, "a", 2000 - (uint32_t)peer);
        have(peer, MIB, LOCATION_RAM, "", 0);
        model_pass(model, 1);
    }
    for (uint64_t pages = 1; pages <= MODEL_PEERS; pages++) {
        have(0, pages * MODEL_PAGE, LOCATION_MMAP, "", 0);
    }
    for (int peer = 1; peer < MODEL_PEERS; peer++) {
        disconnect(peer);
        model_pass(model, 1);
    }
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

Test(check, the_order_of_trees_at_each_of_their_places, .init = begin_with_many, .fini = end)
{
    for (int peer = 1; peer < MODEL_PEERS - 1; peer++) {
        session = session_of(peer);
        lease = session_next_lease(session, 0);
        segment = TAILQ_FIRST(&lease->segments);
        uint32_t above = session_of(peer - 1)->identity.uid;
        EXPECT_NOTICED(segment->id, 500, "the segments are out of order");
        EXPECT_NOTICED_BY(check_leases, lease->id, 500, "the leases are out of order");
        EXPECT_NOTICED(lease->due, UINT64_MAX, "the due times are out of order");
        EXPECT_NOTICED(lease->due, 1, "the due times are out of order");
        EXPECT_NOTICED_BY(check_leases, session->identity.uid, 5000, "a user's leases are out of order");
        EXPECT_NOTICED_BY(check_leases, session->identity.uid, above, "a user's leases are out of order");
        EXPECT_NOTICED(session->identity.uid, 5000, "a user's sessions are out of order");
        EXPECT_NOTICED(session->identity.uid, above, "a user's sessions are out of order");
        EXPECT_NOTICED(session->grace_until, UINT64_MAX, "the graces are out of order");
        broker->next_session += 500;
        EXPECT_NOTICED(session->id, 500, "the sessions are out of order");
        broker->next_session -= 500;
    }
}

Test(check, the_order_of_revocable_sets_at_each_of_their_places, .init = begin_with_many, .fini = end)
{
    lease = session_next_lease(session_of(0), 0);
    while ((lease = session_next_lease(session_of(0), lease->id)) && session_next_lease(session_of(0), lease->id)) {
        const uint64_t sizes[] = {500 * MODEL_PAGE, lease->bytes + MODEL_PAGE};
        segment = TAILQ_FIRST(&lease->segments);
        for (int i = 0; i < 2; i++) {
            const uint64_t was = lease->bytes;
            EXPECT_NOTICED_WHILE(lease->bytes = segment->charge.bytes = sizes[i],
                                 lease->bytes = segment->charge.bytes = was, "a revocable set is out of order");
        }
    }
}
