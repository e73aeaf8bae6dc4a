/* SPDX-License-Identifier: Apache-2.0 */
/* Edges that no other test stood on: each was found by breaking one operator. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

TestSuite(edges);

static struct request acquire(uint64_t bytes, enum location location)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1, .name = "r"};
    return request;
}

static struct model *with_pool(uint64_t size)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model->options.settings.pool = (struct pool_settings){.bytes = 16 * MIB, .sizes = {.bytes = {size}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_pass(model, 1);
    cr_assert_eq(model_status(model).pooled_bytes, size);
    return model;
}

Test(edges, a_pooled_segment_serves_only_requests_with_matching_options)
{
    struct model *model = with_pool(MIB);
    struct request request = acquire(MIB, LOCATION_RAM);
    request.acquire.numa_node = 0;
    granted(model_request(model, 0, &request));
    cr_expect_eq(model_status(model).pool_hits, 0, "node 0 is a node");
    request = acquire(MIB, LOCATION_RAM);
    request.acquire.interleave = true;
    granted(model_request(model, 0, &request));
    cr_expect_eq(model_status(model).pool_hits, 0);
    request = acquire(MIB, LOCATION_MMAP);
    granted(model_request(model, 0, &request));
    cr_expect_eq(model_status(model).pool_hits, 0);
    request = acquire(MIB, LOCATION_AUTO);
    granted(model_request(model, 0, &request));
    cr_expect_eq(model_status(model).pool_hits, 1);
    model_free(model);
}

Test(edges, one_segment_of_each_configured_size_is_kept_ready)
{
    struct model *model = with_pool(MIB);
    for (int i = 0; i < 4; i++) {
        granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
        model->hold_makes = true;
        granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
        model->hold_makes = false;
        model_finish(model);
    }
    model_pass(model, 120000);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    model_free(model);
}

Test(edges, a_refusal_is_explained_for_ten_minutes)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    struct why_entry why[4];
    model_pass(model, 3600000);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model_pass(model, 1000);
    refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    struct request bye = {.kind = REQUEST_BYE};
    (void)model_request(model, 1, &bye);
    cr_expect_eq(broker_explain(model->broker, &model_root, 0, model->now, why, 4), 2);
    uint64_t later = model->now + 599 * NANOSECONDS_PER_SECOND;
    cr_expect_eq(broker_explain(model->broker, &model_root, 0, later - 1, why, 4), 2);
    cr_expect_eq(why[0].since_ms, 599999);
    cr_expect_eq(broker_explain(model->broker, &model_root, 0, later, why, 4), 1, "the first is told no more");
    cr_expect_eq(why[0].pid, 101);
    cr_expect_eq(why[0].since_ms, 599000);
    cr_expect_eq(broker_explain(model->broker, &model_root, 0, later + NANOSECONDS_PER_SECOND, why, 4), 0);
    model_free(model);
}

/* If no request has a priority, age gives none until a request is overdue. */
Test(edges, without_ageing_no_priority_grows)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    struct queue_entry queue[4];
    bool more;
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    (void)model_acquire_waiting(model, 0, MIB, 3600000);
    for (int i = 0; i < 3; i++) {
        (void)model_renew(model, 0);
        model_pass(model, 59000);
        (void)model_renew(model, 0);
        model_pass(model, 1000);
        cr_assert_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 4, &more), 1);
        cr_expect_eq(queue[0].priority, 0);
        cr_expect_eq(queue[0].waited_ms, (uint64_t)(i + 1) * 60000);
    }
    (void)model_renew(model, 0);
    model_pass(model, 59999);
    cr_assert_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 4, &more), 1);
    cr_expect_eq(queue[0].priority, 0);
    cr_assert_eq(
        broker_list_queue(model->broker, &model_root, 0, model->now + NANOSECONDS_PER_MILLISECOND, queue, 4, &more), 1);
    cr_expect_eq(queue[0].priority, 1, "overdue after four ageing times");
    model_free(model);
}

/* Settings that count leases go on counting those that a session holds already. */
Test(edges, a_class_that_a_reload_adds_counts_what_its_sessions_hold)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    struct policy policy = {.rules = &rule, .rule_count = 1};
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    for (int i = 0; i < 3; i++) {
        granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    }
    rule.quota.max_leases = 4;
    model->options.settings.policy = &policy;
    model_configure(model);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    const struct reply *reply = refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "class default has 4 leases"), "%s", reply->error.sentence);
    model->options.settings.policy = NULL;
    model_free(model);
}

Test(edges, users_are_found_whatever_the_order_of_their_rules)
{
    struct policy_rule rules[] = {user_rule(1), user_rule(2)};
    struct policy policy = {.rules = rules, .rule_count = 2};
    struct model *model = model_new(0, 64 * MIB, 0);
    rules[0].quota.limits.max_bytes = MIB;
    rules[1].quota.limits.max_bytes = 2 * MIB;
    model->options.settings.policy = &policy;
    model_configure(model);
    model_open_as(model, 0, "one", 1);
    model_open_as(model, 1, "two", 2);
    struct policy_rule first = rules[0];
    rules[0] = rules[1];
    rules[1] = first;
    model_configure(model);
    refused(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    granted(model_acquire(model, 1, 2 * MIB, LOCATION_RAM, 0));
    model->options.settings.policy = NULL;
    model_free(model);
}

Test(edges, the_leases_and_sessions_of_a_user_a_group_and_a_class_are_bounded)
{
    static const struct {
        enum principal_kind kind;
        uint32_t id;
        const char *name;
    } principals[] = {
        {PRINCIPAL_USER, 1000, "u"}, {PRINCIPAL_GROUP, 0, "g"}, {PRINCIPAL_CLASS, 0, POLICY_DEFAULT_CLASS}};
    for (size_t i = 0; i < sizeof principals / sizeof *principals; i++) {
        struct policy_rule rule = one_rule(principals[i].kind, principals[i].name);
        rule.id = principals[i].id;
        rule.quota.max_leases = 1;
        rule.quota.max_sessions = 2;
        struct model *model = with_rule(64 * MIB, &rule);
        cr_assert(model_open_as(model, 0, "one", 1000) && model_open_as(model, 1, "two", 1000));
        cr_expect_eq(model_open_as(model, 2, "three", 1000), 0, "%s", principals[i].name);
        granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
        refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
        model_free(model);
    }
}
