/* SPDX-License-Identifier: Apache-2.0 */
/* More to do than one step can: it is done in several, and what comes in between finds everything in order. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/expiry.h"
#include "tests/unit/core/sharing.h"

TestSuite(backlog);

enum { LEASES = 10, EXTENTS = 60 };

/* A session whose end takes several steps. */
static void fill(struct model *model, int peer)
{
    for (int i = 0; i < LEASES; i++) {
        uint64_t lease = granted(model_acquire(model, peer, MODEL_PAGE, LOCATION_RAM, 60000));
        struct request extend = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MODEL_PAGE}};
        for (int j = 1; j < EXTENTS; j++) {
            granted(model_request(model, peer, &extend));
        }
    }
}

static void die(struct model *model, int peer)
{
    struct input died = {.kind = INPUT_DIED, .session = model->peers[peer].session};
    model_feed(model, &died);
}

Test(backlog, a_session_whose_last_segment_is_freed_early_is_removed_in_its_turn)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    fill(model, 0);
    model->hold_frees = true;
    model_release(model, 1, lease);
    die(model, 0);
    die(model, 1);
    cr_assert(model->peers[0].session && model->peers[1].session, "neither has had its turn to the end");
    cr_assert_eq(model->segments[0].bytes, MIB, "the first result that is let through");
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 0);
    cr_expect_eq(model_status(model).used_bytes, 0);
    cr_expect(!model->peers[0].session && !model->peers[0].is_over, "gone");
    cr_expect(!model->peers[1].session && !model->peers[1].is_over, "gone");
    model_free(model);
}

Test(backlog, a_session_that_has_ended_still_counts_among_the_holders)
{
    static struct why_entry why[4];
    struct model *model = model_new(0, MIB * 3, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    model_open(model, 2, LIMIT_DEFAULT);
    fill(model, 0);
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 30000));
    model->hold_frees = true;
    die(model, 0);
    die(model, 2);
    cr_assert_eq(broker_explain(model->broker, &model_root, 0, model->now, why, 4), 1);
    cr_assert_eq(why[0].refusal.holder_count, 1, "and one that holds nothing does not");
    cr_expect_eq(why[0].refusal.holders[0].bytes, (uint64_t)LEASES * EXTENTS * MODEL_PAGE);
    cr_expect_eq(why[0].earliest_ms, 0, "as soon as it is freed");
    struct session *over = TAILQ_FIRST(&model->broker->sessions.over);
    over->lease_count++;
    cr_expect_not_null(broker_check(model->broker), "the tables of such a session are checked too");
    over->lease_count--;
    model_free(model);
}

/* ---- the queue ---- */

enum { WAITING = 150 };

static void wait_many(struct model *model, uint64_t bytes, uint32_t wait_ms)
{
    for (int i = 0; i < WAITING; i++) {
        cr_assert_null(model_acquire_waiting(model, 1 + i / 60, bytes, wait_ms));
    }
    cr_assert_eq(model_status(model).waiting, WAITING);
}

static struct model *with_sessions(uint64_t max_physical)
{
    struct model *model = sharing(max_physical);
    model_open_as(model, 0, "a", 1);
    for (int peer = 1; peer < 5; peer++) {
        model_open_as(model, peer, "b", 1 + (uint32_t)peer);
    }
    return model;
}

Test(backlog, many_waiting_requests_are_served_in_more_than_one_step)
{
    struct model *model = with_sessions(16 * MIB);
    struct input tick = {.kind = INPUT_TICK};
    uint64_t all = granted(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 60000)); /* 4 MiB are c's reserve */
    wait_many(model, MODEL_PAGE, 30000);
    model->hold_makes = true;
    model_release(model, 0, all);
    model->now += 10 * NANOSECONDS_PER_MILLISECOND; /* the next pass is due */
    model_feed(model, &tick);
    uint64_t waiting = model_status(model).waiting;
    cr_expect(waiting > 0 && waiting < WAITING, "%llu still wait", (unsigned long long)waiting);
    cr_expect_eq(broker_next_wakeup(model->broker), 0, "there is more to do");
    model->hold_makes = false;
    model_finish(model);
    model_pass(model, 0);
    cr_expect_eq(model_status(model).waiting, 0);
    cr_expect_eq(model_status(model).leases, WAITING);
    model_free(model);
}

/* The answer to one more that has to wait, of the pass that is due. */
static const struct reply *one_more(struct model *model, int peer)
{
    cr_assert_null(model_acquire_waiting(model, peer, MIB, 30000));
    model_pass(model, 10);
    return model_answer(model, model->next_request);
}

Test(backlog, the_waiting_requests_of_a_session_are_limited)
{
    struct model *model = with_sessions(16 * MIB);
    granted(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 60000));
    for (int i = 0; i < 64; i++) {
        cr_assert_null(model_acquire_waiting(model, 1, MIB, 30000));
    }
    const struct reply *reply = refused(one_more(model, 1), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "64 requests of this session"), "%s", reply->error.sentence);
    cr_expect(strstr(reply->error.sentence, "max_waiting_per_session"), "%s", reply->error.sentence);
    cr_expect_null(one_more(model, 2), "another session can");
    model->options.settings.queue.waiting_max = 65;
    model_configure(model);
    reply = refused(one_more(model, 2), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "65 requests of all clients"), "%s", reply->error.sentence);
    model_free(model);
}

/* ---- a queue that is full ---- */

/* User 1 has 1 MiB, all of it lent, and as many requests waiting for more as it may; then the queue is full. */
static struct model *with_a_crowd_of(uint32_t count, uint32_t waiting_max)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_USER, "greedy"), one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS)};
    struct policy policy = {.rules = rules, .rule_count = 1};
    struct model *model = model_new(0, 16 * MIB, 16 * MIB);
    rules[0].id = 1;
    rules[0].quota.limits.max_bytes = MIB;
    model->options.settings.policy = &policy;
    model->options.settings.queue.waiting_max = waiting_max;
    model->options.settings.queue.waiting_per_user_max = count;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    for (int peer = 0; peer < 3; peer++) {
        model_open_as(model, peer, "x", peer == 2 ? 2 : 1);
    }
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_null(model_acquire_waiting(model, i % 2, MODEL_PAGE, 30000));
    }
    return model;
}

static struct model *with_a_crowd(uint32_t waiting_max)
{
    return with_a_crowd_of(8, waiting_max);
}

Test(backlog, a_long_queue_is_examined_in_steps_and_a_request_that_fits_is_served_immediately)
{
    struct model *model = with_a_crowd_of(40, 1000);
    uint64_t all = 1;
    model_pass(model, 1);
    model_release(model, 0, all);
    model_finish(model);
    cr_expect_eq(model_status(model).waiting, 40, "the last pass was just now");
    granted(model_acquire(model, 2, MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_status(model).waiting, 40);
    cr_expect_eq(broker_next_wakeup(model->broker), model->now + 40 * UINT64_C(20000));
    model_pass(model, 1);
    cr_expect_eq(model_status(model).waiting, 0);
    model_free(model);
}

Test(backlog, the_waiting_requests_of_a_user_are_limited_and_others_can_still_wait)
{
    struct model *model = with_a_crowd(10);
    const struct reply *reply = refused(model_acquire_waiting(model, 1, MODEL_PAGE, 30000), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "8 requests of this user"), "%s", reply->error.sentence);
    cr_expect(strstr(reply->error.sentence, "max_waiting_per_user"), "%s", reply->error.sentence);
    granted(model_acquire(model, 2, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 12 * MIB, 30000), "another user can wait");
    struct input died = {.kind = INPUT_DIED, .session = model->peers[0].session};
    model_feed(model, &died);
    cr_expect_eq(model_status(model).waiting, 1, "who is gone waits for nothing, and the rest of that user is served");
    model_free(model);
}

Test(backlog, a_full_queue_does_not_hold_up_requests_that_fit)
{
    struct model *model = with_a_crowd(8);
    granted(model_acquire(model, 2, 8 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire_waiting(model, 2, MIB, 30000));
    cr_expect_eq(model_acquire(model, 2, 8 * MIB, LOCATION_AUTO, 0)->grant.location, LOCATION_MMAP);
    refused(model_acquire(model, 2, 8 * MIB, LOCATION_RAM, 0), ERROR_LIMIT); /* it would not wait anyhow */
    const struct reply *reply = refused(model_acquire_waiting(model, 2, 8 * MIB, 30000), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "8 requests of all clients"), "%s", reply->error.sentence);
    cr_expect_eq(model_status(model).waiting, 8);
    model_free(model);
}

Test(backlog, a_request_that_met_a_full_queue_may_stay_if_there_is_room_at_its_turn)
{
    struct model *model = with_a_crowd(8);
    granted(model_acquire(model, 2, 14 * MIB, LOCATION_RAM, 60000));
    /* so that the crowd is served in the pass that looks at the newcomer */
    struct principal *user = session_table_find(&model->broker->sessions, model->peers[0].session)->share->user;
    user->account.limits.max_bytes = user->quota.limits.max_bytes = LIMIT_OFF;
    cr_expect_null(model_acquire_waiting(model, 2, 8 * MIB, 30000));
    cr_expect_eq(model_status(model).waiting, 1);
    model_free(model);
}

/* ---- judging ---- */

Test(backlog, leases_beyond_one_steps_bound_expire_in_the_next_step)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    for (int i = 0; i < EXPIRY_LEASES_PER_STEP + 20; i++) {
        granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 4000));
    }
    model_pass(model, 2000);
    (void)model_renew(model, 0);
    model->now += 1000 * NANOSECONDS_PER_MILLISECOND; /* where the warning would have come */
    struct input tick = {.kind = INPUT_TICK};
    model_feed(model, &tick);
    cr_expect_leq(broker_next_wakeup(model->broker), model->now, "twenty are left");
    model_feed(model, &tick);
    cr_expect_gt(broker_next_wakeup(model->broker), model->now);
    cr_expect_eq(model_events(model, 0, EVENT_EXPIRING), 0);
    model_free(model);
}

/* ---- revocation ---- */

Test(backlog, many_leases_are_marked_and_revoked_in_bounded_steps)
{
    enum { VICTIMS = 200 };
    struct model *model = sharing(VICTIMS * MODEL_PAGE);
    model->options.settings.policy = NULL; /* without the reserve: the whole is lent */
    model_configure(model);
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "urgent");
    struct policy_member member = {.kind = MEMBER_CLIENT, .name = "u*"};
    rule.members = &member;
    rule.member_count = 1;
    rule.quota.has_priority = true;
    rule.quota.priority = 5;
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "u", 2);
    for (int i = 0; i < VICTIMS; i++) {
        granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 60000));
    }
    cr_expect_null(model_acquire_waiting(model, 1, VICTIMS * MODEL_PAGE, 30000));
    uint64_t request = model->next_request;
    model->now += 1000 * NANOSECONDS_PER_MILLISECOND;
    struct input tick = {.kind = INPUT_TICK};
    model_feed(model, &tick);
    size_t marked = model_events(model, 0, EVENT_REVOKING);
    cr_expect(marked > 50 && marked < VICTIMS, "%zu in the first step", marked);
    model_pass(model, 300);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), VICTIMS);
    model->hold_frees = true;
    model->now += 1300 * NANOSECONDS_PER_MILLISECOND;
    model_feed(model, &tick);
    uint64_t left = model_status(model).leases;
    cr_expect(left > 0 && left < VICTIMS, "%llu are left after a step", (unsigned long long)left);
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 100);
    granted(model_answer(model, request));
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    model_free(model);
}
