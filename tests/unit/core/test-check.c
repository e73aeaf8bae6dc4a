/* SPDX-License-Identifier: Apache-2.0 */
/* broker_check() notices: each of its invariants is broken by hand, once. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

TestSuite(check);

static struct model *model;
static struct broker *broker;
static struct session *session;
static struct lease *lease;
static struct segment *segment;

/* A session with a lease in RAM and one in a file, another session, and requests that wait. */
static void begin(void)
{
    model = model_new(0, 512 * MIB, 8 * MIB);
    broker = model->broker;
    model->options.settings.policy = &model_policy;
    model_configure(model);
    model_open_as(model, 0, "a1", 1000);
    model_open_as(model, 1, "b1", 1001);
    cr_assert(model_acquire(model, 0, MIB, LOCATION_RAM, 0)->kind == REPLY_GRANT);
    cr_assert(model_acquire(model, 0, MIB, LOCATION_MMAP, 0)->kind == REPLY_GRANT);
    cr_assert(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0)->kind == REPLY_GRANT);
    (void)model_acquire_waiting(model, 1, 508 * MIB, 60000);
    (void)model_acquire_waiting(model, 1, 507 * MIB, 60000);
    model_pass(model, 100);
    session = session_table_find(&broker->sessions, model->peers[0].session);
    cr_assert(session);
    lease = TAILQ_FIRST(&session->leases);
    segment = TAILQ_FIRST(&lease->segments);
    cr_assert(broker->waiting_count > 0, "something waits");
    cr_assert(!broker_check(broker));
}

static void end(void)
{
    cr_assert(!broker_check(broker));
    model_free(model);
}

/* Breaks a figure, expects that sentence, and mends it. */
#define EXPECT_NOTICED(place, value, sentence)                                                                         \
    do {                                                                                                               \
        __typeof__(place) was = (place);                                                                               \
        (place) = (value);                                                                                             \
        const char *wrong = broker_check(broker);                                                                      \
        cr_expect(wrong &&strstr(wrong, sentence), "%s: said %s", #place, wrong ? wrong : "nothing");                  \
        (place) = was;                                                                                                 \
    } while (0)

Test(check, segments, .init = begin, .fini = end)
{
    EXPECT_NOTICED(segment->lease, NULL, "nobody's");
    EXPECT_NOTICED(segment->charge.account, &broker->host, "another session's account");
    EXPECT_NOTICED(segment->charge.bytes, 0, "whole pages");
    EXPECT_NOTICED(segment->charge.bytes, 4097, "whole pages");
    EXPECT_NOTICED(segment->charge.freeing, true, "disagree");
    EXPECT_NOTICED(segment->state, SEGMENT_FREEING, "disagree");
    EXPECT_NOTICED(segment->charge.location, LOCATION_MMAP, "elsewhere");
    EXPECT_NOTICED(lease->state, LEASE_MAKING, "not alive");
    segment->state = SEGMENT_MAKING;
    EXPECT_NOTICED(lease->state, LEASE_ENDED, "ended lease keeps");
    segment->state = SEGMENT_LIVE;
    EXPECT_NOTICED(broker->segment_count, 0, "number of segments");
}

Test(check, accounts, .init = begin, .fini = end)
{
    struct account *host = &broker->host, *own = &session->account;
    EXPECT_NOTICED(host->physical_bytes, 1, "host's account");
    EXPECT_NOTICED(host->mapped_bytes, 1, "host's account");
    EXPECT_NOTICED(host->freeing_physical_bytes, 1, "host's account");
    EXPECT_NOTICED(host->freeing_mapped_bytes, 1, "host's account");
    EXPECT_NOTICED(host->charges, 99, "host's account");
    EXPECT_NOTICED(own->physical_bytes, 1, "session's account");
    EXPECT_NOTICED(session->segment_count, 9, "session's account");
    EXPECT_NOTICED(session->flow->account.physical_bytes, 1, "flow's account");
    EXPECT_NOTICED(session->flow->account.mapped_bytes, 1, "flow's account");
    EXPECT_NOTICED(session->flow->class->account.physical_bytes, 1, "party's account");
    EXPECT_NOTICED(session->flow->class->account.claimed_physical_bytes, 1, "claim");
    EXPECT_NOTICED(session->flow->class->account.claimed_mapped_bytes, 1, "claim");
    EXPECT_NOTICED(session->flow->class->account.claimed_bytes, 1, "claim");
    EXPECT_NOTICED(session->flow->user->waiting, 1, "users");
    for (size_t i = 0; i < ACCOUNT_ABOVE_MAX; i++) {
        bool is_looked_at = own->above[i] == &session->flow->account || own->above[i] == &session->flow->class->account;
        if (is_looked_at) {
            EXPECT_NOTICED(own->above[i], NULL, "stand under");
        }
    }
}

Test(check, sessions_and_leases, .init = begin, .fini = end)
{
    EXPECT_NOTICED(lease->bytes, 1, "sum of its segments");
    EXPECT_NOTICED(lease->pile, NULL, "pile");
    EXPECT_NOTICED(lease->revoke_at, 1, "pile");
    EXPECT_NOTICED(session->lease_count, 9, "miscounts its leases");
    EXPECT_NOTICED(broker->leases.alive, 9, "living leases");
    EXPECT_NOTICED(broker->sessions.count, 9, "number of sessions");
    EXPECT_NOTICED(session->flow->user->sessions, 9, "miscount their sessions");
    EXPECT_NOTICED(session->flow->class->sessions, 9, "miscount their sessions");
    lease_table_remove(&broker->leases, lease);
    cr_expect(strstr(broker_check(broker), "the table does not"));
    lease_table_add(&broker->leases, lease);
    broker->leases.alive = 3; /* adding counts it when it is granted */
}

Test(check, waiting, .init = begin, .fini = end)
{
    struct session *other = session_table_find(&broker->sessions, model->peers[1].session);
    struct waiting *first = TAILQ_FIRST(&other->flow->waiting);
    EXPECT_NOTICED(first->flow, session->flow, "wrong place");
    EXPECT_NOTICED(first->session, session, "wrong place");
    EXPECT_NOTICED(first->number, 0, "wrong place");
    EXPECT_NOTICED(broker->waiting_count, 99, "waiting requests");
}

/* While something waits nothing is made ahead. */
static void begin_with_a_pool(void)
{
    model = model_new(0, 512 * MIB, 0);
    broker = model->broker;
    model->options.settings.pool = (struct pool_settings){.bytes = 2 * MIB, .sizes = {MIB}, .size_count = 1};
    model_configure(model);
    model_pass(model, 100);
}

Test(check, the_pool, .init = begin_with_a_pool, .fini = end)
{
    struct segment *ready = TAILQ_FIRST(&broker->pool.ready);
    cr_assert(ready, "the pool has something");
    EXPECT_NOTICED(ready->state, SEGMENT_LIVE, "not its own");
    struct lease other = {.session = NULL};
    ready->lease = &other;
    cr_expect_not_null(pool_check(broker));
    ready->lease = NULL;
    EXPECT_NOTICED(broker->pool.sizes[0].ready, 99, "miscounts");
    EXPECT_NOTICED(broker->pool.making, 99, "miscounts");
}
