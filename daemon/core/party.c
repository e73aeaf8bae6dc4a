/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of parties and flows. Both are short: walked, not searched. */
#include "daemon/core/party.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/reserve.h"

static const char *const kind_names[PARTY_KINDS] = {"user", "group", "class"};

/* ---- parties ---- */

static void name_party(struct party *party, const char *name)
{
    (void)snprintf(party->name, sizeof party->name, "%s", name);
    (void)snprintf(party->whose, sizeof party->whose, "%s %s", kind_names[party->kind], party->name);
}

static void set_quota(struct party_table *table, struct party *party, const struct policy_rule *rule)
{
    party->quota = rule ? rule->quota : quota_none();
    party->account.limits = party->quota.limits;
    account_set_reserve(&party->account, table->host, rule && !rule->is_each ? party->quota.reserve_bytes : 0);
}

static struct party *party_new(struct party_table *table, enum party_kind kind, uint32_t id, const char *name)
{
    struct party *party = calloc(1, sizeof *party);
    const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    if (party) {
        party->kind = kind;
        party->id = id;
        name_party(party, name);
        account_init(&party->account, party->whose, &none);
        TAILQ_INSERT_TAIL(&table->parties[kind], party, in_table);
    }
    return party;
}

static void party_release(struct party_table *table, struct party *party)
{
    if (!party->references && !party->is_named) {
        assert(!party->under_way && !party->waiting && !party->sessions && !party->leases);
        TAILQ_REMOVE(&table->parties[party->kind], party, in_table);
        account_deinit(&party->account);
        free(party);
    }
}

static void party_leave(struct party_table *table, struct party *party)
{
    if (party) {
        assert(party->references > 0);
        party->references--;
        party_release(table, party);
    }
}

static struct party *party_find(const struct party_table *table, enum party_kind kind, uint32_t id, const char *name)
{
    struct party *party;
    TAILQ_FOREACH(party, &table->parties[kind], in_table) {
        if (kind == PARTY_CLASS ? strcmp(party->name, name) == 0 : party->id == id) {
            return party;
        }
    }
    return NULL;
}

/* A party, made if there is none yet. */
static struct party *party_get(struct party_table *table, enum party_kind kind, uint32_t id, const char *name,
                               const struct policy_rule *rule)
{
    struct party *party = party_find(table, kind, id, name);
    if (!party) {
        party = party_new(table, kind, id, name);
        if (party) {
            set_quota(table, party, rule);
        }
    }
    return party;
}

/* ---- the policy ---- */

static int make_named(struct party_table *table, const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (!rule->is_each && !party_find(table, rule->kind, rule->id, rule->name) &&
            !party_new(table, rule->kind, rule->id, rule->name)) {
            return -ENOMEM;
        }
    }
    return 0;
}

static const struct policy_rule *rule_of(const struct policy *policy, const struct party *party)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool same = party->kind == PARTY_CLASS ? strcmp(rule->name, party->name) == 0 : rule->id == party->id;
        if (rule->kind == party->kind && !rule->is_each && same) {
            return rule;
        }
    }
    return NULL;
}

static void apply(struct party_table *table, struct party *party)
{
    const struct policy_rule *own = rule_of(table->policy, party);
    party->is_named = own;
    if (own) {
        name_party(party, own->name);
    }
    set_quota(table, party, own || party->kind != PARTY_USER ? own : policy_user(table->policy, party->id));
}

/* What a flow inherits: the class's word before the user's before the group's. */
static void settle(struct flow *flow)
{
    const struct quota *class = &flow->class->quota, *user = &flow->user->quota;
    const struct quota *group = flow->group ? &flow->group->quota : user;
    flow->priority = class->has_priority ? class->priority : user->has_priority ? user->priority : group->priority;
    flow->weight = user->has_weight ? user->weight : group->weight;
}

/* Of all rules: those to whom one for each user applies may come only later. */
static uint32_t top_priority(const struct policy *policy)
{
    uint32_t top = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        uint32_t priority = policy->rules[i].quota.priority;
        top = priority > top ? priority : top;
    }
    return top;
}

int party_table_configure(struct party_table *table, const struct policy *policy)
{
    struct policy *copy = policy_copy(policy);
    struct party *party, *next;
    struct flow *flow;
    int result = copy ? make_named(table, copy) : -ENOMEM;
    if (result < 0) {
        policy_free(copy);
        copy = NULL;
    } else {
        policy_free(table->policy);
        table->policy = copy;
    }
    table->top_priority = top_priority(table->policy);
    for (int kind = 0; kind < PARTY_KINDS; kind++) {
        for (party = TAILQ_FIRST(&table->parties[kind]); party; party = next) {
            next = TAILQ_NEXT(party, in_table);
            apply(table, party);
            party_release(table, party);
        }
    }
    TAILQ_FOREACH(flow, &table->flows, in_table) {
        settle(flow);
    }
    return result;
}

int party_table_init(struct party_table *table, struct account *host, const struct policy *policy)
{
    *table = (struct party_table){.host = host};
    TAILQ_INIT(&table->flows);
    for (int kind = 0; kind < PARTY_KINDS; kind++) {
        TAILQ_INIT(&table->parties[kind]);
    }
    table->policy = policy_copy(NULL);
    return table->policy ? party_table_configure(table, policy) : -ENOMEM;
}

void party_table_deinit(struct party_table *table)
{
    for (int kind = 0; kind < PARTY_KINDS; kind++) {
        struct party *party, *next;
        for (party = TAILQ_FIRST(&table->parties[kind]); party; party = next) {
            next = TAILQ_NEXT(party, in_table);
            party->is_named = false;
            party_release(table, party);
        }
    }
    table->policy = policy_free(table->policy);
}

/* ---- flows ---- */

static struct party *user_of(struct party_table *table, uint32_t uid)
{
    char name[POLICY_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%u", uid);
    return party_get(table, PARTY_USER, uid, name, policy_user(table->policy, uid));
}

static struct flow *flow_new(struct party_table *table, struct party *user, struct party *group, struct party *class)
{
    static const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    struct flow *flow = calloc(1, sizeof *flow);
    if (!flow) {
        return NULL;
    }
    account_init(&flow->account, "flow", &none);
    flow->user = user;
    flow->group = group;
    flow->class = class;
    user->references++;
    class->references++;
    if (group) {
        group->references++;
    }
    TAILQ_INIT(&flow->waiting);
    FOR_EACH_LOCATION(location)
    {
        RB_INIT(&flow->revocable[location].leases);
    }
    TAILQ_INSERT_TAIL(&table->flows, flow, in_table);
    settle(flow);
    return flow;
}

struct flow *flow_join(struct party_table *table, const struct identity *identity, const char *name)
{
    const struct policy_rule *group_rule = policy_group(table->policy, identity);
    const struct policy_rule *class_rule = policy_class(table->policy, identity, name);
    const char *class_name = class_rule ? class_rule->name : POLICY_DEFAULT_CLASS;
    struct party *user = user_of(table, identity_charged(identity));
    struct party *class = party_get(table, PARTY_CLASS, 0, class_name, class_rule);
    struct party *group = group_rule ? party_find(table, PARTY_GROUP, group_rule->id, group_rule->name) : NULL;
    struct flow *flow;
    TAILQ_FOREACH(flow, &table->flows, in_table) {
        if (flow->user == user && flow->group == group && flow->class == class) {
            flow->references++;
            return flow;
        }
    }
    flow = user && class ? flow_new(table, user, group, class) : NULL;
    if (flow) {
        flow->references = 1;
        return flow;
    }
    if (user) {
        party_release(table, user);
    }
    if (class) {
        party_release(table, class);
    }
    return NULL;
}

void flow_leave(struct party_table *table, struct flow *flow)
{
    assert(flow->references > 0);
    if (--flow->references > 0) {
        return;
    }
    assert(TAILQ_EMPTY(&flow->waiting));
    TAILQ_REMOVE(&table->flows, flow, in_table);
    account_deinit(&flow->account);
    party_leave(table, flow->user);
    party_leave(table, flow->group);
    party_leave(table, flow->class);
    free(flow);
}

void flow_accounts(const struct party_table *table, struct flow *flow, struct account *ret[ACCOUNT_ABOVE_MAX])
{
    struct account *const above[ACCOUNT_ABOVE_MAX] = {&flow->account, &flow->user->account,
                                                      flow->group ? &flow->group->account : NULL, &flow->class->account,
                                                      table->host};
    memcpy(ret, above, sizeof above);
}

bool flow_stands_under(const struct party_table *table, const struct flow *flow, const struct account *account)
{
    return account == table->host || account == &flow->user->account || account == &flow->class->account ||
           (flow->group && account == &flow->group->account);
}

/* ---- counts ---- */

static void count(struct flow *flow, size_t offset, uint64_t number, bool add)
{
    struct party *const parties[PARTY_KINDS] = {flow->user, flow->group, flow->class};
    for (int i = 0; i < PARTY_KINDS; i++) {
        if (parties[i]) {
            uint64_t *counted = (uint64_t *)(void *)((char *)parties[i] + offset);
            assert(add || *counted >= number);
            *counted = add ? *counted + number : *counted - number;
        }
    }
}

void flow_count_session(struct flow *flow, bool add)
{
    count(flow, offsetof(struct party, sessions), 1, add);
}

void flow_count_leases(struct flow *flow, uint64_t leases, bool add)
{
    count(flow, offsetof(struct party, leases), leases, add);
}

const struct party *flow_full_of_sessions(const struct flow *flow)
{
    const struct party *const parties[PARTY_KINDS] = {flow->user, flow->group, flow->class};
    for (int i = 0; i < PARTY_KINDS; i++) {
        if (parties[i] && parties[i]->sessions >= parties[i]->quota.max_sessions) {
            return parties[i];
        }
    }
    return NULL;
}

const struct party *flow_full_of_leases(const struct flow *flow)
{
    const struct party *const parties[PARTY_KINDS] = {flow->user, flow->group, flow->class};
    for (int i = 0; i < PARTY_KINDS; i++) {
        if (parties[i] && parties[i]->leases + parties[i]->claimed_leases >= parties[i]->quota.max_leases) {
            return parties[i];
        }
    }
    return NULL;
}

void flow_claim_lease(struct flow *flow, const struct account *last)
{
    struct party *const parties[PARTY_KINDS] = {flow->user, flow->group, flow->class};
    for (int i = 0; i < PARTY_KINDS && last; i++) {
        if (parties[i]) {
            parties[i]->claimed_leases++;
            last = last == &parties[i]->account ? NULL : last;
        }
    }
}

void flow_forget_claims(struct flow *flow)
{
    struct party *const parties[PARTY_KINDS] = {flow->user, flow->group, flow->class};
    for (int i = 0; i < PARTY_KINDS; i++) {
        if (parties[i]) {
            parties[i]->claimed_leases = 0;
        }
    }
}
