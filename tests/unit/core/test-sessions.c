/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a session when its connection ends, and how many of them, and of their requests, a user may have. */
#include "tests/unit/core/sharing.h"

Test(sessions, a_detached_session_keeps_its_leases_for_the_grace_time)
{
    struct model *model = model_new(0, 0, 0);
    struct token token = {{0}}, wrong = {{9}};
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 1000));
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = session};
    model_feed(model, &gone);
    model_pass(model, 9000);
    cr_expect_eq(model_status(model).leases, 1);
    cr_expect_null(broker_find_resumable(model->broker, session, &wrong, 1000));
    cr_expect_null(broker_find_resumable(model->broker, session, &token, 1001));
    cr_expect_null(broker_find_resumable(model->broker, session + 1, &token, 1000));
    cr_expect_not_null(broker_find_resumable(model->broker, session, &token, 1000));
    struct input resumed = {.kind = INPUT_RESUMED, .session = session};
    model_feed(model, &resumed);
    model_pass(model, 900);
    cr_expect_eq(model_status(model).leases, 1);
    model_feed(model, &gone);
    model_pass(model, 10000);
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_eq(model_status(model).sessions, 0);
    cr_expect_eq(model_status(model).counters.died, 1);
    model_free(model);
}

Test(sessions, a_session_that_holds_nothing_ends_with_its_connection)
{
    struct model *model = model_new(0, 0, 0);
    struct token token = {{0}};
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = session};
    model_feed(model, &gone);
    cr_expect_eq(model_status(model).sessions, 0);
    cr_expect_null(broker_find_resumable(model->broker, session, &token, 1000));
    session = model_open(model, 1, LIMIT_DEFAULT);
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    gone.session = session;
    model_feed(model, &gone);
    cr_expect_eq(model_status(model).sessions, 1, "what is being made is to be repeated");
    model->hold_makes = false;
    model_finish(model);
    model_free(model);
}

Test(sessions, a_connection_that_replaces_another_has_none_of_its_requests)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_expect_eq(model_status(model).waiting, 1);
    struct input resumed = {.kind = INPUT_RESUMED, .session = session};
    model_feed(model, &resumed);
    cr_expect_eq(model_status(model).waiting, 0);
    cr_expect_eq(model_status(model).leases, 1);
    model_free(model);
}

Test(sessions, a_users_sessions_are_bounded_unless_a_quota_says_otherwise)
{
    struct policy_rule rule = {.kind = PRINCIPAL_USER, .id = 1001, .name = "alice", .quota = quota_none()};
    struct policy policy = {.rules = &rule, .rule_count = 1};
    struct model *model = model_new(0, 0, 0);
    rule.quota.max_sessions = 3;
    model->options.settings.policy = &policy;
    model->options.settings.user_sessions_max = 2;
    model_configure(model);
    for (int i = 0; i < 4; i++) {
        uint64_t session = model_open_as(model, i, "bob", 1000);
        cr_expect_eq(session != 0, i < 2, "%d", i);
    }
    for (int i = 4; i < 8; i++) {
        uint64_t session = model_open_as(model, i, "alice", 1001);
        cr_expect_eq(session != 0, i < 7, "%d", i);
    }
    model_free(model);
}

Test(sessions, a_user_who_may_have_no_session_is_told_what_to_raise)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "alice");
    rule.id = 1001;
    rule.quota.max_sessions = 0;
    struct model *model = with_rule(0, &rule);
    cr_expect_eq(model_open_as(model, 0, "alice", 1001), 0);
    model_free(model);
}

Test(sessions, a_users_requests_in_progress_are_bounded)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    model->options.settings.user_requests_max = 3;
    model_configure(model);
    model_open_as(model, 0, "one", 1000);
    model_open_as(model, 1, "two", 1000);
    model_open_as(model, 2, "other", 1001);
    granted(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 60000));
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_MMAP, 0));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 60000));
    const struct reply *reply = model_acquire_waiting(model, 1, MIB, 60000);
    refused(reply, ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "3 requests of user 1000"), "%s", reply->error.sentence);
    cr_expect_null(model_acquire_waiting(model, 2, MIB, 60000), "another user");
    model->hold_makes = false;
    model_finish(model);
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 60000), "one of them is done");
    model_free(model);
}
