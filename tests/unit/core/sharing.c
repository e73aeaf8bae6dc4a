/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/sharing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t granted(const struct reply *reply)
{
    cr_assert(reply && reply->kind == REPLY_GRANT, "no grant: %s",
              reply && reply->kind == REPLY_ERROR ? reply->error.sentence : "no answer");
    return reply->grant.lease;
}

const struct reply *refused(const struct reply *reply, enum error_code code)
{
    cr_assert(reply && reply->kind == REPLY_ERROR);
    cr_assert(reply->error.code == code, "%d: %s", (int)reply->error.code, reply->error.sentence);
    return reply;
}

struct model *sharing(uint64_t max_physical)
{
    struct model *model = model_new(0, max_physical, max_physical);
    model->options.settings.policy = &model_policy;
    model_configure(model);
    return model;
}

struct policy_rule one_rule(enum principal_kind kind, const char *name)
{
    struct policy_rule rule = {.kind = kind, .quota = quota_none()};
    (void)stpncpy(rule.name, name, sizeof rule.name - 1);
    return rule;
}

struct model *with_rule(uint64_t max_physical, struct policy_rule *rule)
{
    struct policy policy = {.rules = rule, .rule_count = 1};
    struct model *model = model_new(0, max_physical, 0);
    model->options.settings.policy = &policy;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    return model;
}

struct policy_rule user_rule(uint32_t uid)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%" PRIu32, uid);
    struct policy_rule rule = one_rule(PRINCIPAL_USER, name);
    rule.id = uid;
    return rule;
}

struct model *with_max_leases(uint64_t max_physical, struct policy_rule rule, uint32_t max_leases)
{
    rule.quota.max_leases = max_leases;
    return with_rule(max_physical, &rule);
}
