/* SPDX-License-Identifier: Apache-2.0 */
/* max_leases: a request that may wait waits for a lease as it would for bytes. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

TestSuite(leases);

/* Peers 0 to 2 in class x, which may have two leases, each as another user; peer 3 in no class. */
static struct model *with_two_leases(void)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "x");
    struct policy_member member = {.kind = MEMBER_CLIENT, .name = "x"};
    rule.members = &member;
    rule.member_count = 1;
    rule.quota.max_leases = 2;
    struct model *model = with_rule(16 * MIB, &rule);
    for (int peer = 0; peer < 4; peer++) {
        model_open_as(model, peer, peer < 3 ? "x" : "other", 1 + (uint32_t)peer);
    }
    return model;
}

Test(leases, a_request_that_may_wait_waits_for_a_lease_and_others_are_refused)
{
    struct model *model = with_two_leases();
    uint64_t first = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    const struct reply *reply = refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_expect_str_eq(reply->error.refusal.limit, "max_leases");
    cr_expect_str_eq(reply->error.sentence, "class x has 2 leases, and its max_leases is 2. Release some, extend one, "
                                            "let the request wait, or raise that.");
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 60000));
    uint64_t request = model->next_request;
    model_pass(model, 10000);
    model->hold_frees = true;
    model_release(model, 0, first);
    granted(model_answer(model, request)); /* a lease is over before its bytes are free */
    model_free(model);
}

Test(leases, a_wait_for_a_lease_ends_at_its_deadline_and_says_so)
{
    struct model *model = with_two_leases();
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 4000));
    cr_expect_null(model_acquire_waiting(model, 2, MIB, 2000));
    model_pass(model, 2000);
    const struct reply *reply = refused(model_answer(model, model->next_request), ERROR_TOO_MANY);
    cr_expect_str_eq(reply->error.sentence,
                     "It waited for 2s. class x has 2 leases, 1 request waits for one before this one, and its "
                     "max_leases is 2. Requests that wait ahead: another user's (uid 2). Release some, extend one, or "
                     "raise that.");
    model_free(model);
}

Test(leases, a_limit_of_no_leases_is_refused_immediately)
{
    struct model *model = with_max_leases(16 * MIB, one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS), 0);
    model_open(model, 0, LIMIT_DEFAULT);
    const struct reply *reply = model_acquire_waiting(model, 0, MIB, 60000);
    refused(reply, ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "max_leases is 0. Raise that."), "%s", reply->error.sentence);
    model_free(model);
}

Test(leases, requests_for_a_lease_are_served_in_order)
{
    struct model *model = with_two_leases();
    uint64_t first = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    uint64_t second = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 2 * MIB, 60000));
    uint64_t one = model->next_request;
    cr_expect_null(model_acquire_waiting(model, 2, MIB, 60000));
    uint64_t two = model->next_request;
    granted(model_acquire(model, 3, 14 * MIB, LOCATION_RAM, 60000)); /* it claims no bytes meanwhile */
    model_release(model, 0, first);
    cr_expect_null(model_answer(model, one), "now it waits for bytes");
    cr_expect_null(model_answer(model, two), "and the lease is for it");
    refused(model_acquire(model, 2, 1, LOCATION_RAM, 0), ERROR_TOO_MANY);
    model_release(model, 0, second);
    granted(model_answer(model, one));
    cr_expect_null(model_answer(model, two));
    model_free(model);
}

Test(leases, a_request_held_up_by_its_own_limit_keeps_no_lease_from_others)
{
    struct model *model = with_two_leases();
    struct session *small = session_table_find(&model->broker->sessions, model->peers[0].session);
    small->account.limits.max_bytes = 2 * MIB;
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    granted(model_acquire(model, 1, MIB, LOCATION_RAM, 60000));
    model_free(model);
}

Test(leases, an_extension_takes_no_lease)
{
    struct model *model = with_two_leases();
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 15 * MIB, LOCATION_RAM, 60000));
    struct request extend = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MIB, .wait_ms = 60000}};
    cr_expect_null(model_request(model, 0, &extend));
    struct request again = extend;
    model->options.settings.limits.max_physical_bytes = 17 * MIB;
    model->broker->host.limits.max_physical_bytes = 17 * MIB;
    model_pass(model, 250);
    granted(model_answer(model, extend.id));
    cr_expect_null(model_request(model, 0, &again));
    model_free(model);
}

Test(leases, a_segment_that_cannot_be_created_frees_its_lease_for_a_waiting_request)
{
    struct model *model = with_two_leases();
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    model->hold_makes = true;
    model->fail_error = -12;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 60000));
    uint64_t request = model->next_request;
    model->fail_error = 0;
    model->hold_makes = false;
    model_finish(model);
    granted(model_answer(model, request));
    model_free(model);
}

Test(leases, no_client_is_asked_to_trim_or_loses_a_lease_for_a_lease)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS), one_rule(PRINCIPAL_USER, "chief")};
    struct policy policy = {.rules = rules, .rule_count = 2};
    rules[0].quota.max_leases = 1;
    rules[1].id = 2;
    rules[1].quota.has_priority = true;
    rules[1].quota.priority = 5;
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.policy = &policy;
    model->options.settings.queue.trim_ms = 100;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "x", 1);
    model_open_as(model, 1, "x", 2);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 30000));
    model_pass(model, 5000);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 0);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0);
    model_free(model);
}
