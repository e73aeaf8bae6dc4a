/* SPDX-License-Identifier: Apache-2.0 */
/* Who loses a lease to a waiting request of higher priority, and who does not. */
#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

static struct model *with_a_victim(bool allowed)
{
    struct model *model = sharing(16 * MIB);
    model->options.settings.queue.revoke_for_priority = allowed;
    model->options.settings.queue.revoke_grace_ms = 2000;
    model_configure(model);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "c", 2);
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 30000));
    return model;
}

Test(revocation, nothing_is_revoked_unless_it_is_allowed)
{
    struct model *model = with_a_victim(false);
    model_pass(model, 20000);
    cr_expect_eq(model_status(model).leases, 2);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0);
    model_free(model);
}

Test(revocation, a_lease_of_lower_priority_is_revoked_after_the_grace_time)
{
    struct model *model = with_a_victim(true);
    uint64_t request = model->next_request;
    model_pass(model, 1999);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0);
    model_pass(model, 1);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1, "one is enough");
    struct why_entry why[1];
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 30000));
    cr_expect_eq(broker_explain(model->broker, &model_root, 0, model->now, why, 1), 1, "of two, as many as asked for");
    cr_expect_eq(why[0].earliest_ms, 2000, "not in the minute that the lease has");
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = model->next_request};
    model_request(model, 1, &cancel);
    cr_expect_eq(model_status(model).leases, 2);
    model_pass(model, 2000);
    granted(model_answer(model, request));
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 1);
    const struct effect_cause *cause = &model->ended.cause;
    cr_expect(cause->is_request && cause->session == model->peers[1].session && cause->pid == 101 && cause->uid == 2);
    cr_expect_eq(cause->bytes, 8 * MIB);
    cr_expect_str_eq(cause->client, "c");
    cr_expect_eq(model_status(model).counters.revoked, 1);
    model_free(model);
}

Test(revocation, a_victim_is_spared_if_no_request_waits_for_it)
{
    struct model *model = with_a_victim(true);
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = model->next_request};
    model_pass(model, 2500);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1);
    model_request(model, 1, &cancel);
    model_pass(model, 5000);
    cr_expect_eq(model_status(model).leases, 2);
    model_free(model);
}

Test(revocation, only_leases_that_help_are_revoked)
{
    struct model *model = sharing(16 * MIB);
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "c1", 2);
    model_open_as(model, 2, "c2", 3);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_MMAP, 60000)); /* the newest, but it is no RAM */
    granted(model_acquire(model, 1, 8 * MIB, LOCATION_RAM, 60000));  /* no lower priority */
    cr_expect_null(model_acquire_waiting(model, 1, 4 * MIB, 30000));
    uint64_t first = model->next_request;
    cr_expect_null(model_acquire_waiting(model, 2, 4 * MIB, 30000));
    uint64_t second = model->next_request;
    model_pass(model, 1000);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 2, "each of the two has one marked for itself");
    model_pass(model, 1000);
    granted(model_answer(model, first));
    granted(model_answer(model, second));
    cr_expect_eq(model_status(model).used_mapped_bytes, 4 * MIB);
    model_free(model);
}

/* Class low has this reserve, class high a priority; peers 0 (low), 1 and 2 (high). */
static struct model *with_low_and_high(uint64_t max_physical, uint64_t max_mapped, uint64_t reserve)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_CLASS, "low"), one_rule(PRINCIPAL_CLASS, "high")};
    struct policy_member members[] = {{.kind = MEMBER_CLIENT, .name = "low"}, {.kind = MEMBER_CLIENT, .name = "high"}};
    struct policy policy = {.rules = rules, .rule_count = 2};
    for (int i = 0; i < 2; i++) {
        rules[i].members = &members[i];
        rules[i].member_count = 1;
    }
    rules[0].quota.reserve_bytes = reserve;
    rules[1].quota.has_priority = true;
    rules[1].quota.priority = 5;
    struct model *model = model_new(0, max_physical, max_mapped);
    model->options.settings.policy = &policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    model_open_as(model, 0, "low", 1);
    model_open_as(model, 1, "high", 2);
    model_open_as(model, 2, "high", 2);
    return model;
}

Test(revocation, nothing_is_revoked_that_would_only_refill_a_reserve)
{
    struct model *model = with_low_and_high(16 * MIB, 0, 4 * MIB);
    for (int i = 0; i < 3; i++) {
        granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 60000));
    }
    granted(model_acquire(model, 1, 10 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 3 * MIB, 30000));
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = model->next_request};
    model_pass(model, 1500);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0, "two of six could be had, and three lack");
    model_request(model, 2, &cancel);
    cr_expect_null(model_acquire_waiting(model, 2, 2 * MIB, 30000));
    uint64_t request = model->next_request;
    model_pass(model, 1500);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1, "what is above the reserve");
    model_pass(model, 1000);
    granted(model_answer(model, request));
    cr_expect_null(model_acquire_waiting(model, 2, 2 * MIB, 30000));
    model_pass(model, 5000);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1, "the rest is reserved: nobody would gain");
    cr_expect_eq(model_status(model).used_bytes, 16 * MIB);
    model_free(model);
}

Test(revocation, nothing_is_revoked_if_everything_would_not_be_enough)
{
    struct model *model = with_low_and_high(16 * MIB, 0, 0);
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 1, 12 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 30000));
    model_pass(model, 3000);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0);
    cr_expect_null(model_acquire_waiting(model, 2, MIB, 20000));
    model_pass(model, 3000);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0, "it would only gather for the one before");
    cr_expect_eq(model_status(model).leases, 3);
    model_free(model);
}

Test(revocation, for_either_location_leases_are_revoked_where_it_helps)
{
    struct model *model = with_low_and_high(16 * MIB, 16 * MIB, 0);
    struct request either = {.kind = REQUEST_ACQUIRE};
    either.acquire =
        (struct acquire_request){.bytes = 8 * MIB, .location = LOCATION_AUTO, .numa_node = -1, .wait_ms = 30000};
    granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 1, 16 * MIB, LOCATION_MMAP, 60000));
    cr_expect_null(model_request(model, 2, &either));
    model_pass(model, 1000);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1);
    model_pass(model, 1000);
    cr_assert_not_null(model_answer(model, either.id));
    cr_expect_eq(model_answer(model, either.id)->grant.location, LOCATION_RAM);
    model_free(model);
}

Test(revocation, a_marked_lease_that_grows_moves_and_is_spared_is_counted_right)
{
    struct model *model = with_low_and_high(16 * MIB, 0, 0);
    struct request extend = {.kind = REQUEST_EXTEND};
    uint64_t first = granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 12 * MIB, 30000));
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = model->next_request};
    model_pass(model, 1500);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 2);
    struct lease *lease = lease_table_find(&model->broker->leases, first);
    cr_expect(lease->revoke_at && !lease->revocable);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_BYTES), 14 * MIB);
    model_configure(model); /* without the policy its share is another, and no request has a priority */
    cr_expect_eq(ledger_counted(lease->session->share->account.revoking, LEDGER_MAX_PHYSICAL_BYTES), 0);
    cr_expect_eq(model_events(model, 0, EVENT_SPARED), 2);
    model_request(model, 1, &cancel);
    cr_expect_eq(ledger_counted(model->broker->host.revoking, LEDGER_MAX_PHYSICAL_BYTES), 0);
    cr_expect_eq(lease->session->share->revocable[LOCATION_RAM].bytes, 14 * MIB);
    extend.extend = (struct extend_request){.lease = first, .bytes = 2 * MIB};
    granted(model_request(model, 0, &extend));
    cr_expect_eq(lease->session->share->revocable[LOCATION_RAM].bytes, 16 * MIB);
    model_free(model);
}

static void wait_for_all(struct model *model, int peer, enum location location, uint64_t bytes)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1, .wait_ms = 30000};
    cr_expect_null(model_request(model, peer, &request));
    model_pass(model, 1000);
}

static struct model *with_limits(uint64_t max_bytes, uint64_t max_physical, uint64_t max_mapped)
{
    struct model *model = model_new(max_bytes, max_physical, max_mapped);
    model->options.settings.policy = &model_policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "c", 2);
    model_open_as(model, 2, "c", 2);
    return model;
}

Test(revocation, the_limit_decides_which_leases_help)
{
    struct model *model = with_limits(0, 64 * MIB, 8 * MIB);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_MMAP, 60000));
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    wait_for_all(model, 1, LOCATION_MMAP, 8 * MIB);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1, "the file only");
    model_free(model);
    model = with_limits(16 * MIB, 0, 0);
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_MMAP, 60000));
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 60000));
    wait_for_all(model, 1, LOCATION_RAM, 16 * MIB);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 2, "both");
    model_free(model);
}

Test(revocation, equal_priorities_unfinished_leases_and_other_accounts_lose_nothing)
{
    struct model *model = with_limits(0, 16 * MIB, 0);
    granted(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 60000)); /* the oldest, of the same priority */
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = model->peers[0].session};
    model_feed(model, &gone);
    wait_for_all(model, 1, LOCATION_RAM, 4 * MIB);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0, "nobody is there to be told");
    model_pass(model, 1000);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(model_status(model).counters.revoked, 1);
    cr_expect_eq(model_status(model).used_bytes, 16 * MIB);
    model_free(model);
    model = with_limits(0, 64 * MIB, 0);
    model_open(model, 3, LIMIT_DEFAULT);
    struct session *small = session_table_find(&model->broker->sessions, model->peers[1].session);
    small->account.limits.max_bytes = 2 * MIB;
    granted(model_acquire(model, 1, 2 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    wait_for_all(model, 1, LOCATION_RAM, MIB);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0, "its own limit is what it waits for");
    model_free(model);
}

/* ---- whose limit it is ---- */

/* Class low (peer 0, and as another user peer 1) has 4 MiB each; class high (peer 2, with a limit of 8 MiB) the rest.
 */
static struct model *with_a_limit(enum principal_kind kind, bool in_group)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_CLASS, "low"), one_rule(PRINCIPAL_CLASS, "high"),
                                  one_rule(kind, "x")};
    struct policy_member members[] = {{.kind = MEMBER_CLIENT, .name = "low"}, {.kind = MEMBER_CLIENT, .name = "high"}};
    struct policy policy = {.rules = rules, .rule_count = kind == PRINCIPAL_CLASS && !in_group ? 2 : 3};
    for (int i = 0; i < 2; i++) {
        rules[i].members = &members[i];
        rules[i].member_count = 1;
    }
    rules[1].quota.has_priority = true;
    rules[1].quota.priority = 5;
    rules[1].quota.limits.max_physical_bytes = kind == PRINCIPAL_CLASS ? 8 * MIB : LIMIT_OFF;
    rules[2].kind = in_group ? PRINCIPAL_GROUP : kind;
    rules[2].id = in_group ? 0 : 1; /* all are in group 0 */
    rules[2].quota.limits.max_physical_bytes = kind == PRINCIPAL_CLASS ? LIMIT_OFF : in_group ? 16 * MIB : 12 * MIB;
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.policy = &policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    model_open_as(model, 0, "low", 1);
    model_open_as(model, 1, "low", 2);
    model_open_as(model, 2, "high", 1);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 2, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, MIB, 30000));
    model_pass(model, 1500);
    return model;
}

Test(revocation, only_sessions_under_the_limit_that_is_short_lose_a_lease)
{
    struct model *model = with_a_limit(PRINCIPAL_USER, false);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1, "the same user's");
    cr_expect_eq(model_events(model, 1, EVENT_REVOKING), 0);
    model_free(model);
    model = with_a_limit(PRINCIPAL_GROUP, true);
    cr_expect_eq(model_events(model, 1, EVENT_REVOKING), 1, "the newest of the group's");
    model_free(model);
    for (int in_group = 0; in_group < 2; in_group++) {
        model = with_a_limit(PRINCIPAL_CLASS, in_group);
        cr_expect_eq(model_events(model, 0, EVENT_REVOKING) + model_events(model, 1, EVENT_REVOKING), 0,
                     "it is its own class's limit");
        model_free(model);
    }
}

Test(revocation, overlapping_reserves_do_not_mark_more_than_there_is)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_USER, "u"), one_rule(PRINCIPAL_CLASS, "a"),
                                  one_rule(PRINCIPAL_CLASS, "high")};
    struct policy_member members[] = {{.kind = MEMBER_CLIENT, .name = "a"}, {.kind = MEMBER_CLIENT, .name = "high"}};
    struct policy policy = {.rules = rules, .rule_count = 3};
    rules[0].id = 1;
    rules[0].quota.reserve_bytes = rules[1].quota.reserve_bytes = 10 * MIB;
    rules[1].members = &members[0];
    rules[2].members = &members[1];
    rules[1].member_count = rules[2].member_count = 1;
    rules[2].quota.has_priority = true;
    rules[2].quota.priority = 5;
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.policy = &policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "b", 1);
    model_open_as(model, 1, "a", 1);
    model_open_as(model, 2, "high", 2);
    granted(model_acquire(model, 0, 5 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 0, 5 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 1, 11 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 2, 43 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 10 * MIB, 30000));
    model_pass(model, 1000);
    cr_expect_eq(model_events(model, 1, EVENT_REVOKING), 1, "one MiB is above both reserves");
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0, "then there is nothing above the user's");
    cr_expect_gt(broker_next_wakeup(model->broker), model->now, "and it is not tried for ever");
    model_free(model);
}

Test(revocation, within_a_class_users_of_lower_priority_lose_to_those_of_higher)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS), one_rule(PRINCIPAL_USER, "chief")};
    struct policy policy = {.rules = rules, .rule_count = 2};
    rules[0].quota.limits.max_physical_bytes = 8 * MIB;
    rules[1].id = 2;
    rules[1].quota.has_priority = true;
    rules[1].quota.priority = 5;
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.policy = &policy;
    model->options.settings.queue.revoke_for_priority = true;
    model_configure(model);
    model_open_as(model, 0, "x", 1);
    model_open_as(model, 1, "x", 2);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 30000));
    model_pass(model, 1000);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 1);
    model_free(model);
}

Test(revocation, nothing_is_revoked_because_the_host_is_short)
{
    struct model *model = with_low_and_high(16 * MIB, 0, 0);
    struct input seen = {.kind = INPUT_HOST_MEMORY, .host = {MIB, 64 * MIB}};
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    model_feed(model, &seen);
    cr_expect_null(model_acquire_waiting(model, 1, 2 * MIB, 30000));
    model_pass(model, 1500);
    cr_expect_eq(model_events(model, 0, EVENT_REVOKING), 0);
    model_free(model);
}
