/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets memory when it is short: quotas, reserves, the queue and its order. One rule a test. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

/* ---- quotas ---- */

Test(sharing, a_users_limit_counts_all_sessions_of_that_user)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "alice");
    rule.id = 1000;
    rule.quota.limits.max_physical_bytes = 8 * MIB;
    struct model *model = with_rule(64 * MIB, &rule);
    model_open_as(model, 0, "x", 1000);
    model_open_as(model, 1, "y", 1000);
    model_open_as(model, 2, "z", 1001);
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0));
    const struct reply *reply = refused(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_str_eq(reply->error.refusal.whose, "user alice");
    cr_expect_str_eq(reply->error.refusal.limit, "max_physical_bytes");
    cr_expect_eq(reply->error.refusal.holder_count, 1, "only those count who stand under it");
    granted(model_acquire(model, 2, 32 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 2 * MIB, LOCATION_RAM, 0));
    model_free(model);
}

Test(sharing, a_request_held_up_by_its_own_limit_does_not_wait_for_others_frees)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "alice");
    rule.id = 1000;
    rule.quota.limits.max_bytes = 4 * MIB;
    struct model *model = with_rule(12 * MIB, &rule);
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1001);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    uint64_t lease = granted(model_acquire(model, 1, 8 * MIB, LOCATION_RAM, 0));
    model->hold_frees = true;
    model_release(model, 1, lease);
    refused(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_null(model_acquire(model, 1, 2 * MIB, LOCATION_RAM, 0), "but by whom it helps it is");
    model->hold_frees = false;
    model_finish(model);
    granted(model_answer(model, model->next_request));
    model_free(model);
}

Test(sharing, a_rule_for_each_user_applies_to_each_separately)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "*");
    rule.is_each = true;
    rule.quota.limits.max_bytes = 8 * MIB;
    struct model *model = with_rule(64 * MIB, &rule);
    model_open_as(model, 0, "x", 1000);
    model_open_as(model, 1, "y", 1001);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 8 * MIB, LOCATION_MMAP, 0));
    refused(model_acquire(model, 1, 1, LOCATION_RAM, 0), ERROR_LIMIT);
    struct policy policy = {.rules = &rule, .rule_count = 1};
    rule.quota.limits.max_bytes = 9 * MIB;
    model->options.settings.policy = &policy;
    model_configure(model);
    granted(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    model_free(model);
}

Test(sharing, a_groups_limit_is_found_by_a_supplementary_group)
{
    struct policy_rule rule = one_rule(PRINCIPAL_GROUP, "hpc");
    rule.id = 77;
    rule.quota.limits.max_mapped_bytes = MIB;
    struct model *model = with_rule(64 * MIB, &rule);
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = (void *)1};
    open.open.identity = (struct identity){.pid = 1, .uid = 5, .gid = 5, .group_count = 2, .groups = {3, 77}};
    open.open.hello = (struct hello_request){
        .name = "g", .heap_bytes = LIMIT_DEFAULT, .max_bytes = LIMIT_DEFAULT, .max_physical_bytes = LIMIT_DEFAULT};
    model_feed(model, &open);
    const struct reply *reply = refused(model_acquire(model, 0, 2 * MIB, LOCATION_MMAP, 0), ERROR_LIMIT);
    cr_expect_str_eq(reply->error.refusal.whose, "group hpc");
    granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 0));
    model_free(model);
}

Test(sharing, counts_of_sessions_and_leases_are_limited_by_name)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.max_sessions = 2;
    rule.quota.max_leases = 3;
    struct model *model = with_rule(64 * MIB, &rule);
    cr_expect(model_open_as(model, 0, "x", 1));
    cr_expect(model_open_as(model, 1, "y", 2));
    cr_expect_eq(model_open_as(model, 2, "z", 3), 0);
    uint64_t lease = granted(model_acquire(model, 0, 1, LOCATION_RAM, 0));
    granted(model_acquire(model, 0, 1, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 1, LOCATION_RAM, 0));
    const struct reply *reply = refused(model_acquire(model, 1, 1, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_expect_not_null(strstr(reply->error.sentence, "class default"));
    model_release(model, 0, lease);
    granted(model_acquire(model, 1, 1, LOCATION_RAM, 0));
    struct input died = {.kind = INPUT_DIED, .session = model->peers[0].session};
    model_feed(model, &died);
    cr_expect(model_open_as(model, 2, "z", 3));
    model_free(model);
}

Test(sharing, others_cannot_use_a_reserve)
{
    struct model *model = sharing(16 * MIB); /* 4 of it are reserved for class c */
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "c", 1);
    const struct reply *reply = refused(model_acquire(model, 0, 13 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(reply->error.refusal.reserved_bytes, 4 * MIB);
    cr_expect_not_null(strstr(reply->error.sentence, "4 MiB reserved for others"));
    granted(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_status(model).reserved_bytes, 4 * MIB);
    granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_status(model).reserved_bytes, 0);
    refused(model_acquire(model, 1, 1, LOCATION_RAM, 0), ERROR_LIMIT);
    model_free(model);
}

Test(sharing, a_new_policy_moves_leases_and_waiting_requests)
{
    struct model *model = sharing(16 * MIB);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "a", 2);
    granted(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 1, 2 * MIB, 60000));
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "everybody");
    struct policy_member all = {.kind = MEMBER_CLIENT, .name = "*"};
    struct policy policy = {.rules = &rule, .rule_count = 1};
    rule.members = &all;
    rule.member_count = 1;
    rule.quota.limits.max_bytes = 14 * MIB;
    model->options.settings.policy = &policy;
    model_configure(model);
    cr_expect_eq(model_status(model).used_bytes, 14 * MIB, "the reserve is gone, and so is the wait");
    refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model_free(model);
}

/* ---- waiting ---- */

Test(sharing, a_request_that_may_wait_is_served_when_memory_becomes_free)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_null(model_acquire_waiting(model, 1, 4 * MIB, 20000));
    cr_expect_eq(model_status(model).waiting, 1);
    uint64_t request = model->next_request;
    model_release(model, 0, lease);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).waiting, 0);
    model_free(model);
}

Test(sharing, a_wait_ends_at_its_deadline_with_the_numbers)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 4 * MIB, 5000));
    uint64_t request = model->next_request;
    model_pass(model, 4999);
    cr_expect_null(model_answer(model, request));
    model_pass(model, 1);
    const struct reply *reply = refused(model_answer(model, request), ERROR_LIMIT);
    cr_expect_not_null(strstr(reply->error.sentence, "It waited for 5s"), "%s", reply->error.sentence);
    cr_expect_eq(reply->error.refusal.holder_count, 1);
    model_free(model);
}

Test(sharing, a_request_that_can_never_fit_does_not_wait)
{
    struct model *model = sharing(16 * MIB);
    model_open_as(model, 0, "a", 1);
    refused(model_acquire_waiting(model, 0, 13 * MIB, 60000), ERROR_LIMIT);
    cr_expect_eq(model_status(model).waiting, 0);
    model_free(model);
}

Test(sharing, a_wait_is_cancelled_and_later_requests_proceed)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    struct request cancel = {.kind = REQUEST_CANCEL};
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    model_open(model, 2, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 60000));
    cancel.cancel_request = model->next_request;
    cr_expect_null(model_acquire_waiting(model, 2, 2 * MIB, 60000), "it would delay the large one");
    uint64_t small = model->next_request;
    cr_expect_eq(model_request(model, 1, &cancel)->kind, REPLY_DONE);
    refused(model_answer(model, cancel.cancel_request), ERROR_CANCELLED);
    granted(model_answer(model, small));
    model_free(model);
}

Test(sharing, a_client_that_is_gone_does_not_block_others)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    model_open(model, 2, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 2 * MIB, 60000));
    uint64_t small = model->next_request;
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = model->peers[1].session};
    model_feed(model, &gone);
    granted(model_answer(model, small));
    model_free(model);
}

Test(sharing, a_small_request_passes_a_large_one_if_it_cannot_delay_it)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "small quota");
    rule.id = 1001;
    rule.quota.limits.max_bytes = 4 * MIB;
    struct model *model = with_rule(16 * MIB, &rule);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT); /* user 1001 */
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 1, 2 * MIB, 60000), "its user's limit holds it up, not the host's");
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model_free(model);
}

Test(sharing, a_request_for_either_location_claims_in_both)
{
    struct model *model = model_new(0, 16 * MIB, 16 * MIB);
    struct request either = {.kind = REQUEST_ACQUIRE};
    uint64_t pieces[16];
    for (int peer = 0; peer < 3; peer++) {
        model_open(model, peer, LIMIT_DEFAULT);
    }
    for (int i = 0; i < 16; i++) {
        pieces[i] = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    }
    uint64_t file = granted(model_acquire(model, 0, 12 * MIB, LOCATION_MMAP, 60000));
    either.acquire =
        (struct acquire_request){.bytes = 8 * MIB, .location = LOCATION_AUTO, .numa_node = -1, .wait_ms = 600000};
    cr_expect_null(model_request(model, 1, &either));
    for (int i = 0; i < 8; i++) {
        cr_expect_null(model_answer(model, either.id));
        cr_assert_null(model_acquire_waiting(model, 2, MIB, 600000), "small ones come after it");
        model_release(model, 0, pieces[i]);
    }
    cr_assert_not_null(model_answer(model, either.id), "and don't pass it in RAM");
    cr_expect_eq(model_answer(model, either.id)->grant.location, LOCATION_RAM);
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 600000));
    either.acquire.location = LOCATION_AUTO;
    cr_expect_null(model_request(model, 1, &either), "again");
    model_release(model, 0, file);
    cr_expect_eq(model_answer(model, either.id)->grant.location, LOCATION_MMAP, "whichever gathers first");
    model_free(model);
}

/* ---- order ---- */

Test(sharing, higher_priority_goes_first_and_age_compensates)
{
    struct model *model = sharing(16 * MIB);
    model->options.settings.queue.ageing_ms = 10000;
    model_configure(model);
    model_open_as(model, 0, "c", 1);
    model_open_as(model, 1, "a", 2);
    model_open_as(model, 2, "c", 3);
    uint64_t lease = granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 600000));
    uint64_t low = model->next_request;
    cr_expect_null(model_acquire_waiting(model, 2, 12 * MIB, 600000));
    uint64_t high = model->next_request;
    struct queue_entry queue[4];
    bool more;
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 4, &more), 2);
    cr_expect_eq(queue[0].request, high);
    cr_expect_eq(queue[0].priority, 2);
    cr_expect_eq(queue[1].priority, 0);
    cr_expect_str_eq(queue[1].class, "a");
    cr_expect_str_eq(queue[1].limit, "max_physical_bytes");
    for (int i = 0; i < 7; i++) {
        model_pass(model, 10000);
        model_renew(model, 0);
    }
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 4, &more), 2);
    cr_expect_eq(queue[0].request, low, "both are overdue, and this one came first");
    model_release(model, 0, lease);
    granted(model_answer(model, low));
    cr_expect_null(model_answer(model, high));
    model_free(model);
}

Test(sharing, without_ageing_age_does_not_compensate)
{
    struct model *model = sharing(16 * MIB);
    model->options.settings.queue.ageing_ms = 0;
    model_configure(model);
    model_open_as(model, 0, "c", 1);
    model_open_as(model, 1, "a", 2);
    uint64_t lease = granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 3600000));
    uint64_t low = model->next_request;
    for (int i = 0; i < 100; i++) {
        model_pass(model, 20000);
        model_renew(model, 0);
    }
    cr_expect_null(model_acquire_waiting(model, 0, 12 * MIB, 600000));
    uint64_t high = model->next_request;
    model_release(model, 0, lease);
    granted(model_answer(model, high));
    cr_expect_null(model_answer(model, low));
    model_free(model);
}

Test(sharing, within_a_priority_the_least_held_for_its_weight_goes_first)
{
    struct model *model = sharing(24 * MIB);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "b", 2);
    model_open_as(model, 2, "other", 3);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0));
    uint64_t lease = granted(model_acquire(model, 2, 10 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 0, 8 * MIB, 60000));
    uint64_t first = model->next_request;
    cr_expect_null(model_acquire_waiting(model, 1, 8 * MIB, 60000));
    uint64_t second = model->next_request;
    model_release(model, 2, lease);
    granted(model_answer(model, second)); /* 6 for weight 2 is less than 4 for weight 1 */
    cr_expect_null(model_answer(model, first));
    model_free(model);
}

Test(sharing, a_priority_for_each_user_applies_to_the_first_user)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "*");
    struct queue_entry queue[1];
    bool more;
    rule.is_each = true;
    rule.quota.has_priority = true;
    rule.quota.priority = 7;
    struct model *model = with_rule(8 * MIB, &rule);
    model_open_as(model, 0, "x", 1);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 30000));
    cr_assert_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 1, &more), 1);
    cr_expect_eq(queue[0].priority, 7);
    model_free(model);
}

/* ---- which accounts a session belongs to ---- */

static void open_identity(struct model *model, int peer, const struct identity *identity, const char *name)
{
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = (void *)(uintptr_t)(peer + 1)};
    open.open.identity = *identity;
    open.open.hello = (struct hello_request){
        .heap_bytes = LIMIT_DEFAULT, .max_bytes = LIMIT_DEFAULT, .max_physical_bytes = LIMIT_DEFAULT};
    (void)stpncpy(open.open.hello.name, name, sizeof open.open.hello.name - 1);
    model_feed(model, &open);
}

static struct share *share_of(const struct model *model, int peer)
{
    return session_table_find(&model->broker->sessions, model->peers[peer].session)->share;
}

Test(sharing, sessions_of_one_user_in_different_groups_have_separate_accounts)
{
    struct policy_rule rule = one_rule(PRINCIPAL_GROUP, "hpc");
    rule.id = 77;
    struct model *model = with_rule(64 * MIB, &rule);
    const struct identity member = {.pid = 1, .uid = 5, .gid = 77}, other = {.pid = 2, .uid = 5, .gid = 5};
    open_identity(model, 0, &member, "x");
    open_identity(model, 1, &other, "x");
    cr_expect_neq(share_of(model, 0), share_of(model, 1));
    cr_expect(share_of(model, 0)->group && !share_of(model, 1)->group);
    model_free(model);
}

Test(sharing, the_class_decides_before_the_user_before_the_group)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_USER, "alice"), one_rule(PRINCIPAL_GROUP, "hpc"),
                                  one_rule(PRINCIPAL_CLASS, "urgent")};
    struct policy_member member = {.kind = MEMBER_CLIENT, .name = "u*"};
    const struct policy policy = {.rules = rules, .rule_count = 3};
    const struct identity alice = {.pid = 1, .uid = 5, .gid = 77}, bob = {.pid = 2, .uid = 6, .gid = 77};
    rules[0].id = 5;
    rules[0].quota.has_priority = rules[0].quota.has_weight = true;
    rules[0].quota.priority = 2;
    rules[0].quota.weight = 20;
    rules[1].id = 77;
    rules[1].quota.has_priority = rules[1].quota.has_weight = true;
    rules[1].quota.priority = 1;
    rules[1].quota.weight = 10;
    rules[2].quota.has_priority = true;
    rules[2].quota.priority = 3;
    rules[2].members = &member;
    rules[2].member_count = 1;
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.policy = &policy;
    model_configure(model);
    open_identity(model, 0, &alice, "urgent");
    open_identity(model, 1, &alice, "x");
    open_identity(model, 2, &bob, "x");
    cr_expect(share_of(model, 0)->priority == 3 && share_of(model, 0)->weight == 20);
    cr_expect(share_of(model, 1)->priority == 2 && share_of(model, 1)->weight == 20);
    cr_expect(share_of(model, 2)->priority == 1 && share_of(model, 2)->weight == 10);
    model_free(model);
}

Test(sharing, a_class_has_users_groups_and_client_names_as_members)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "batch");
    struct policy_member class_members[] = {{.kind = MEMBER_USER, .id = 5}, {.kind = MEMBER_GROUP, .id = 77}};
    rule.members = class_members;
    rule.member_count = 2;
    struct model *model = with_rule(64 * MIB, &rule);
    const struct identity user = {.pid = 1, .uid = 5}, member = {.pid = 2, .uid = 6, .gid = 77},
                          other = {.pid = 3, .uid = 7, .gid = 7};
    open_identity(model, 0, &user, "x");
    open_identity(model, 1, &member, "x");
    open_identity(model, 2, &other, "x");
    cr_expect_str_eq(share_of(model, 0)->class->name, "batch");
    cr_expect_str_eq(share_of(model, 1)->class->name, "batch");
    cr_expect_str_eq(share_of(model, 2)->class->name, POLICY_DEFAULT_CLASS);
    model_free(model);
}

Test(sharing, several_reserves_come_and_go)
{
    struct policy_rule rules[] = {one_rule(PRINCIPAL_CLASS, "a"), one_rule(PRINCIPAL_CLASS, "b"),
                                  one_rule(PRINCIPAL_CLASS, "c")};
    struct policy policy = {.rules = rules, .rule_count = 3};
    for (int i = 0; i < 3; i++) {
        rules[i].quota.reserve_bytes = MIB;
    }
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.policy = &policy;
    model_configure(model);
    cr_expect_eq(model_status(model).reserved_bytes, 3 * MIB);
    rules[0].quota.reserve_bytes = 4 * MIB;
    model_configure(model);
    cr_expect_eq(model_status(model).reserved_bytes, 6 * MIB);
    rules[1].quota.reserve_bytes = 0;
    model_configure(model);
    cr_expect_eq(model_status(model).reserved_bytes, 5 * MIB);
    policy.rule_count = 1;
    model_configure(model);
    cr_expect_eq(model_status(model).reserved_bytes, 4 * MIB);
    policy.rule_count = 0;
    model_configure(model);
    cr_expect_eq(model_status(model).reserved_bytes, 0);
    model_free(model);
    struct account_list reserves = LIST_HEAD_INITIALIZER(reserves);
    struct account host, first, second;
    const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    account_init(&host, "host", &none);
    account_init(&first, "first", &none);
    account_init(&second, "second", &none);
    host.reserves = &reserves;
    account_set_reserve(&first, &host, MIB);
    account_set_reserve(&second, &host, MIB);
    account_set_reserve(&second, &host, 2 * MIB); /* in whatever order */
    cr_expect_eq(LIST_FIRST(&reserves)->reserve_bytes, 2 * MIB);
    account_deinit(&second);
    cr_expect_eq(LIST_FIRST(&reserves), &first);
    account_deinit(&first);
    cr_expect(LIST_EMPTY(&reserves));
}
