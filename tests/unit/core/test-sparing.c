/* SPDX-License-Identifier: Apache-2.0 */
/* Which leases are taken for a request of higher priority, and which are spared again. */
#include "daemon/core/broker_state.h"
#include "daemon/core/revoke.h"
#include "tests/unit/core/sharing.h"

TestSuite(sparing);

/* Peers 0 of class a and 1 of class b (priority 0), 2 and 3 of class c (priority 2), and no reserve. */
static struct model *with_victims(uint64_t max_physical, uint32_t priority_of_b)
{
    struct policy_rule rules[3];
    const struct policy policy = {.rules = rules, .rule_count = 3};
    for (int i = 0; i < 3; i++) {
        rules[i] = model_policy.rules[i];
    }
    rules[1].quota.has_priority = true;
    rules[1].quota.priority = priority_of_b;
    rules[2].quota.reserve_bytes = 0;
    struct model *model = model_new(0, max_physical, 64 * MIB);
    model->options.settings.policy = &policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "b", 2);
    model_open_as(model, 2, "c", 3);
    model_open_as(model, 3, "c", 3);
    return model;
}

static uint64_t hold(struct model *model, int peer, uint64_t mib)
{
    return granted(model_acquire(model, peer, mib * MIB, LOCATION_RAM, 60000));
}

static bool is_marked(const struct model *model, uint64_t lease)
{
    return lease_table_find(&model->broker->leases, lease)->revoke_at > 0;
}

/* A request of class c that has waited long enough to take leases. Returns its id. */
static uint64_t want(struct model *model, int peer, uint64_t mib)
{
    cr_expect_null(model_acquire_waiting(model, peer, mib * MIB, 30000));
    uint64_t request = model->next_request;
    model_pass(model, 1000);
    return request;
}

Test(sparing, one_large_lease_is_revoked_without_six_small_ones)
{
    struct model *model = with_victims(26 * MIB, 0);
    uint64_t small[6], large;
    for (int i = 0; i < 6; i++) {
        small[i] = hold(model, 0, 1);
    }
    large = hold(model, 0, 20);
    uint64_t request = want(model, 2, 12);
    cr_expect(is_marked(model, large));
    for (int i = 0; i < 6; i++) {
        cr_expect(!is_marked(model, small[i]));
    }
    model_pass(model, 1000);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).counters.revoked, 1);
    model_free(model);
}

/* A larger one would do as well, and two smaller ones together. */
Test(sparing, the_smallest_lease_that_is_enough_is_revoked)
{
    struct model *model = with_victims(49 * MIB, 0);
    uint64_t small[2] = {hold(model, 0, 8), hold(model, 1, 8)}, large = hold(model, 0, 20), enough = hold(model, 0, 13);
    uint64_t request = want(model, 2, 12);
    cr_expect(is_marked(model, enough));
    cr_expect(!is_marked(model, large) && !is_marked(model, small[0]) && !is_marked(model, small[1]));
    model_pass(model, 1000);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).counters.revoked, 1);
    model_free(model);
}

Test(sparing, leases_of_higher_priority_are_revoked_only_for_the_rest)
{
    struct model *model = with_victims(26 * MIB, 1);
    uint64_t small[6], large;
    for (int i = 0; i < 6; i++) {
        small[i] = hold(model, 0, 1);
    }
    large = hold(model, 1, 20);
    uint64_t request = want(model, 2, 12);
    cr_expect(is_marked(model, large), "it is needed");
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0, "and then nothing else is");
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = request};
    model_request(model, 2, &cancel);
    cr_expect_eq(model_events(model, 1, EVENT_SPARED), 1);
    (void)want(model, 2, 5);
    cr_expect(!is_marked(model, large), "lower priority is enough");
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 5);
    cr_expect(!is_marked(model, small[0]), "the newest are taken");
    model_free(model);
}

Test(sparing, the_smallest_lease_that_is_enough_is_revoked_otherwise_the_largest_and_the_rest)
{
    struct model *model = with_victims(31 * MIB, 0);
    uint64_t leases[5];
    for (int i = 0; i < 5; i++) {
        leases[i] = hold(model, i % 2, UINT64_C(1) << i);
    }
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = want(model, 2, 5)};
    cr_expect(is_marked(model, leases[3]));
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 8 * MIB);
    model_request(model, 2, &cancel);
    (void)want(model, 2, 21);
    cr_expect(is_marked(model, leases[4]) && is_marked(model, leases[3]) && !is_marked(model, leases[2]));
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 24 * MIB);
    model_free(model);
}

Test(sparing, memory_that_becomes_free_spares_leases_that_are_not_needed)
{
    struct model *model = with_victims(60 * MIB, 0);
    uint64_t marked[3];
    uint64_t other = hold(model, 3, 30);
    for (int i = 0; i < 3; i++) {
        marked[i] = hold(model, i % 2, 10);
    }
    uint64_t first = want(model, 2, 30);
    for (int i = 0; i < 3; i++) {
        cr_expect(is_marked(model, marked[i]));
    }
    model->hold_frees = true;
    model_release(model, 3, other); /* what is being freed is enough */
    for (int i = 0; i < 3; i++) {
        cr_expect(!is_marked(model, marked[i]));
    }
    cr_expect_eq(model_events(model, 0, EVENT_SPARED), 2);
    cr_expect_eq(model_events(model, 1, EVENT_SPARED), 1);
    model->hold_frees = false;
    model_finish(model);
    granted(model_answer(model, first));
    model_pass(model, 5000);
    cr_expect_eq(model_status(model).counters.revoked, 0);
    model_free(model);
}

Test(sparing, a_part_that_becomes_free_spares_a_part)
{
    struct model *model = with_victims(40 * MIB, 0);
    uint64_t other = hold(model, 3, 10), one = hold(model, 0, 10), two = hold(model, 0, 10), three = hold(model, 1, 10);
    uint64_t request = want(model, 2, 30);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 30 * MIB);
    model_release(model, 3, other);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 20 * MIB);
    cr_expect(!is_marked(model, one), "the oldest of one size");
    cr_expect(is_marked(model, two) && is_marked(model, three));
    model_pass(model, 1000);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).counters.revoked, 2);
    model_free(model);
}

Test(sparing, memory_that_becomes_free_just_in_time_spares_leases)
{
    struct model *model = with_victims(20 * MIB, 0);
    uint64_t other = hold(model, 3, 10), victim = hold(model, 0, 10);
    uint64_t request = want(model, 2, 10);
    cr_expect(is_marked(model, victim));
    model->now += 2000 * NANOSECONDS_PER_MILLISECOND; /* no tick came meanwhile: it is due */
    model->hold_frees = true;
    model_release(model, 3, other);
    model_pass(model, 0);
    cr_expect(!is_marked(model, victim));
    model->hold_frees = false;
    model_finish(model);
    granted(model_answer(model, request));
    model_free(model);
}

Test(sparing, a_lease_that_another_request_needs_is_not_spared)
{
    struct model *model = with_victims(40 * MIB, 0);
    for (int i = 0; i < 4; i++) {
        (void)hold(model, 0, 10);
    }
    cr_expect_null(model_acquire_waiting(model, 2, 20 * MIB, 30000));
    uint64_t first = model->next_request;
    (void)want(model, 3, 10);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 30 * MIB);
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = first};
    model_request(model, 2, &cancel);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 10 * MIB);
    model_pass(model, 1000);
    cr_expect_eq(model_status(model).counters.revoked, 1);
    model_free(model);
}

Test(sparing, a_spared_session_without_a_connection_gets_no_event)
{
    struct model *model = with_victims(20 * MIB, 0);
    (void)hold(model, 0, 10);
    (void)hold(model, 1, 10);
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = want(model, 2, 20)};
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = model->peers[0].session};
    model_feed(model, &gone);
    model_request(model, 2, &cancel);
    cr_expect_eq(model_events(model, 0, EVENT_SPARED), 0);
    cr_expect_eq(model_events(model, 1, EVENT_SPARED), 1);
    model_free(model);
}

Test(sparing, many_leases_are_spared_in_bounded_steps)
{
    struct model *model = with_victims(256 * MIB, 0);
    for (int i = 0; i < 256; i++) {
        (void)hold(model, i % 2, 1);
    }
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = want(model, 2, 255)};
    model_pass(model, 10);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 255 * MIB);
    model_forget(model);
    model_request(model, 2, &cancel);
    model_pass(model, 0);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 0);
    cr_expect_eq(model_events(model, 0, EVENT_SPARED) + model_events(model, 1, EVENT_SPARED), 255);
    cr_expect_null(model_acquire_waiting(model, 2, 255 * MIB, 30000));
    model_pass(model, 1100);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 255 * MIB);
    model->options.settings.queue.revoke_for_priority = false;
    model_configure(model);
    model_pass(model, 500);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 0, "none is needed any more");
    model_pass(model, 5000);
    cr_expect_eq(model_status(model).counters.revoked, 0);
    model_free(model);
}

Test(sparing, a_spared_lease_may_end_or_be_marked_again_before_its_event)
{
    struct model *model = with_victims(20 * MIB, 0);
    uint64_t lease = hold(model, 0, 20);
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = want(model, 2, 20)};
    cr_expect_null(model_acquire_waiting(model, 3, 20 * MIB, 30000));
    model_pass(model, 1000 - 1);
    model_request(model, 2, &cancel);
    cr_expect_eq(model_events(model, 0, EVENT_SPARED), 1);
    model_pass(model, 1);
    cr_expect(is_marked(model, lease));
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 2);
    model_free(model);
}

Test(sparing, two_requests_that_need_more_than_one_step_are_both_served)
{
    struct model *model = with_victims(300 * MIB, 0);
    for (int i = 0; i < 300; i++) {
        (void)hold(model, i % 2, 1);
    }
    cr_expect_null(model_acquire_waiting(model, 2, 150 * MIB, 30000));
    uint64_t first = model->next_request, second = want(model, 3, 149);
    model_pass(model, 10);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 299 * MIB,
                 "more than one review looks at");
    model_pass(model, 3000);
    granted(model_answer(model, first));
    granted(model_answer(model, second));
    cr_expect_eq(model_status(model).counters.revoked, 299);
    model_free(model);
}

/* A request for a file, which waits. */
static void want_file(struct model *model, int peer, uint64_t mib)
{
    struct request request = {
        .kind = REQUEST_ACQUIRE,
        .acquire = {.bytes = mib * MIB, .location = LOCATION_MMAP, .numa_node = -1, .wait_ms = 30000}};
    cr_expect_null(model_request(model, peer, &request));
}

Test(sparing, a_lease_is_needed_at_each_limit_of_an_account)
{
    struct model *model = with_victims(20 * MIB, 0);
    model->broker->host.limits.max_bytes = 45 * MIB;
    (void)hold(model, 0, 10);
    (void)hold(model, 1, 10);
    granted(model_acquire(model, 3, 20 * MIB, LOCATION_MMAP, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 4 * MIB, 30000)); /* of RAM there is too little */
    want_file(model, 3, 10);
    model_pass(model, 1000); /* and of all bytes, for the other */
    cr_expect_gt(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 0);
    cr_expect_eq(model_events(model, 0, EVENT_SPARED) + model_events(model, 1, EVENT_SPARED), 0);
    model_free(model);
}

Test(sparing, nothing_is_revoked_before_the_next_pass)
{
    struct model *model = with_victims(20 * MIB, 0);
    model->broker->options.settings.queue.revoke_grace_ms = 1;
    (void)hold(model, 0, 10);
    uint64_t other = hold(model, 3, 10);
    for (int i = 0; i < 60; i++) { /* many, so that a pass takes more than one step */
        cr_expect_null(model_acquire_waiting(model, 2 + i % 2, 9 * MIB, 30000));
    }
    model_pass(model, 1);
    struct broker *broker = model->broker;
    cr_assert(!TAILQ_EMPTY(&broker->revoking));
    model->hold_frees = true;
    model_release(model, 3, other);
    cr_expect(broker->retry_waiting);
    cr_expect_gt(broker->next_pass, TAILQ_FIRST(&broker->revoking)->revoke_at);
    cr_expect_eq(revoke_next_wakeup(broker), broker->next_pass);
    model->hold_frees = false;
    model_finish(model);
    model_free(model);
}

Test(sparing, among_equal_sizes_the_oldest_lease_is_spared_first)
{
    struct model *model = with_victims(20 * MIB, 0);
    (void)hold(model, 3, 10);
    granted(model_acquire(model, 3, 54 * MIB, LOCATION_MMAP, 60000));
    uint64_t older = granted(model_acquire(model, 0, 10 * MIB, LOCATION_MMAP, 60000)), newer = hold(model, 0, 10);
    want_file(model, 2, 10);
    (void)want(model, 2, 10);
    cr_expect(is_marked(model, older) && is_marked(model, newer));
    cr_expect_eq(TAILQ_FIRST(&model->broker->revoking)->id, older);
    model_forget(model);
    model->broker->options.settings.queue.revoke_for_priority = false;
    model_pass(model, 500);
    cr_expect(!is_marked(model, older) && !is_marked(model, newer));
    cr_expect_eq(model_events(model, 0, EVENT_SPARED), 2);
    model_free(model);
}
