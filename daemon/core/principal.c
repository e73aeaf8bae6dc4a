/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of principals and shares. Both are short: walked, not searched. */
#include "daemon/core/principal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/reserve.h"

static const char *const kind_names[PRINCIPAL_KINDS] = {"user", "group", "class"};

/* ---- principals ---- */

static void name_whose(struct principal *principal)
{
    (void)snprintf(principal->whose, sizeof principal->whose, "%s %s",
                   principal->quota.is_reservation ? "reservation" : kind_names[principal->kind], principal->name);
}

static void name_principal(struct principal *principal, const char *name)
{
    (void)snprintf(principal->name, sizeof principal->name, "%s", name);
    name_whose(principal);
}

static void set_quota(struct principal_table *table, struct principal *principal, const struct policy_rule *rule)
{
    principal->quota = rule ? rule->quota : quota_none();
    principal->account.limits = principal->quota.limits;
    principal->account.is_told_first = principal->quota.is_reservation;
    name_whose(principal);
    account_set_reserve(&principal->account, table->host, rule && !rule->is_each ? principal->quota.reserve_bytes : 0);
}

static struct principal *principal_new(struct principal_table *table, enum principal_kind kind, uint32_t id,
                                       const char *name)
{
    struct principal *principal = calloc(1, sizeof *principal);
    const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    if (principal) {
        principal->kind = kind;
        principal->number = ++table->last_number;
        principal->id = id;
        name_principal(principal, name);
        account_init(&principal->account, principal->whose, &none);
        TAILQ_INSERT_TAIL(&table->principals[kind], principal, in_table);
    }
    return principal;
}

static void principal_release(struct principal_table *table, struct principal *principal)
{
    if (!principal->references && !principal->is_named) {
        assert(!principal->under_way && !principal->waiting && !principal->sessions && !principal->leases);
        TAILQ_REMOVE(&table->principals[principal->kind], principal, in_table);
        account_deinit(&principal->account);
        free(principal);
    }
}

static void principal_leave(struct principal_table *table, struct principal *principal)
{
    if (principal) {
        assert(principal->references > 0);
        principal->references--;
        principal_release(table, principal);
    }
}

static struct principal *principal_find(const struct principal_table *table, enum principal_kind kind, uint32_t id,
                                        const char *name)
{
    struct principal *principal;
    TAILQ_FOREACH(principal, &table->principals[kind], in_table) {
        if (kind == PRINCIPAL_CLASS ? strcmp(principal->name, name) == 0 : principal->id == id) {
            return principal;
        }
    }
    return NULL;
}

/* A principal, made if there is none yet. */
static struct principal *principal_get(struct principal_table *table, enum principal_kind kind, uint32_t id,
                                       const char *name, const struct policy_rule *rule)
{
    struct principal *principal = principal_find(table, kind, id, name);
    if (!principal) {
        principal = principal_new(table, kind, id, name);
        if (principal) {
            set_quota(table, principal, rule);
        }
    }
    return principal;
}

/* ---- the policy ---- */

static bool is_rule_of(const struct policy_rule *rule, const struct principal *principal)
{
    return rule->kind == principal->kind && !rule->is_each &&
           (rule->kind == PRINCIPAL_CLASS ? strcmp(rule->name, principal->name) == 0 : rule->id == principal->id);
}

/* Rules and principals are mostly in the same order: the one behind the last that was found is tried first. */
static int make_named(struct principal_table *table, const struct policy *policy)
{
    struct principal *next = NULL;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        struct principal *found = rule->is_each ? NULL
                                  : next && is_rule_of(rule, next)
                                      ? next
                                      : principal_find(table, rule->kind, rule->id, rule->name);
        next = found ? TAILQ_NEXT(found, in_table) : next;
        if (!rule->is_each && !found && !principal_new(table, rule->kind, rule->id, rule->name)) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Looks from `*first` on, all around, and moves that behind the one that it found. */
static const struct policy_rule *rule_of(const struct policy *policy, const struct principal *principal, size_t *first)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        size_t at = (*first + i) % policy->rule_count;
        if (is_rule_of(&policy->rules[at], principal)) {
            *first = at + 1;
            return &policy->rules[at];
        }
    }
    return NULL;
}

static void apply(struct principal_table *table, struct principal *principal, size_t *first)
{
    const struct policy_rule *own = rule_of(table->policy, principal, first);
    principal->is_named = own;
    if (own) {
        name_principal(principal, own->name);
    }
    set_quota(table, principal,
              own || principal->kind != PRINCIPAL_USER ? own : policy_user(table->policy, principal->id));
}

/* What a share inherits: the class's word before the user's before the group's. */
static void settle(struct share *share)
{
    const struct quota *class = &share->class->quota, *user = &share->user->quota;
    const struct quota *group = share->group ? &share->group->quota : user;
    share->priority = class->has_priority ? class->priority : user->has_priority ? user->priority : group->priority;
    share->weight = user->has_weight ? user->weight : group->weight;
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

int principal_table_configure(struct principal_table *table, const struct policy *policy)
{
    struct policy *copy = policy_borrow(policy);
    struct principal *principal, *next;
    struct share *share;
    size_t first = 0;
    int result = copy ? make_named(table, copy) : -ENOMEM;
    if (result < 0) {
        policy_free(copy);
        copy = NULL;
    } else {
        policy_free(table->policy);
        table->policy = copy;
    }
    table->top_priority = top_priority(table->policy);
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        for (principal = TAILQ_FIRST(&table->principals[kind]); principal; principal = next) {
            next = TAILQ_NEXT(principal, in_table);
            apply(table, principal, &first);
            principal_release(table, principal);
        }
    }
    TAILQ_FOREACH(share, &table->shares, in_table) {
        settle(share);
    }
    return result;
}

int principal_table_init(struct principal_table *table, struct account *host)
{
    *table = (struct principal_table){.host = host};
    TAILQ_INIT(&table->shares);
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        TAILQ_INIT(&table->principals[kind]);
    }
    table->policy = policy_borrow(NULL);
    return table->policy ? 0 : -ENOMEM;
}

void principal_table_deinit(struct principal_table *table)
{
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        struct principal *principal, *next;
        for (principal = TAILQ_FIRST(&table->principals[kind]); principal; principal = next) {
            next = TAILQ_NEXT(principal, in_table);
            principal->is_named = false;
            principal_release(table, principal);
        }
    }
    table->policy = policy_free(table->policy);
}

/* Each list is in the order of the numbers. */
struct principal_walk principal_walk_begin(const struct principal_table *table, uint64_t after)
{
    struct principal_walk walk;
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        const struct principal *next = TAILQ_FIRST(&table->principals[kind]);
        while (next && next->number <= after) {
            next = TAILQ_NEXT(next, in_table);
        }
        walk.next[kind] = next;
    }
    return walk;
}

const struct principal *principal_walk_next(struct principal_walk *walk)
{
    const struct principal *found = NULL;
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        const struct principal *next = walk->next[kind];
        found = next && (!found || next->number < found->number) ? next : found;
    }
    if (found) {
        walk->next[found->kind] = TAILQ_NEXT(found, in_table);
    }
    return found;
}

const struct principal *principal_class(const struct principal_table *table, const char *name)
{
    const struct principal *class = principal_find(table, PRINCIPAL_CLASS, 0, name);
    assert(class);
    return class;
}

/* ---- shares ---- */

static struct principal *user_of(struct principal_table *table, uint32_t uid)
{
    char name[POLICY_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%u", uid);
    return principal_get(table, PRINCIPAL_USER, uid, name, policy_user(table->policy, uid));
}

static struct share *share_new(struct principal_table *table, struct principal *user, struct principal *group,
                               struct principal *class)
{
    static const struct byte_limits none = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    struct share *share = calloc(1, sizeof *share);
    if (!share) {
        return NULL;
    }
    account_init(&share->account, "share", &none);
    share->user = user;
    share->group = group;
    share->class = class;
    user->references++;
    class->references++;
    if (group) {
        group->references++;
    }
    TAILQ_INIT(&share->waiting);
    TAILQ_INIT(&share->boards);
    FOR_EACH_LOCATION(location)
    {
        RB_INIT(&share->revocable[location].leases);
    }
    TAILQ_INSERT_TAIL(&table->shares, share, in_table);
    settle(share);
    return share;
}

/* `class_rule` NULL: the class of last resort. */
static struct share *join(struct principal_table *table, const struct identity *identity,
                          const struct policy_rule *class_rule)
{
    const struct policy_rule *group_rule = policy_group(table->policy, identity);
    const char *class_name = class_rule ? class_rule->name : POLICY_DEFAULT_CLASS;
    struct principal *user = user_of(table, identity_charged(identity));
    struct principal *class = principal_get(table, PRINCIPAL_CLASS, 0, class_name, class_rule);
    struct principal *group =
        group_rule ? principal_find(table, PRINCIPAL_GROUP, group_rule->id, group_rule->name) : NULL;
    struct share *share;
    TAILQ_FOREACH(share, &table->shares, in_table) {
        if (share->user == user && share->group == group && share->class == class) {
            share->references++;
            return share;
        }
    }
    share = user && class ? share_new(table, user, group, class) : NULL;
    if (share) {
        share->references = 1;
        return share;
    }
    if (user) {
        principal_release(table, user);
    }
    if (class) {
        principal_release(table, class);
    }
    return NULL;
}

struct share *share_join(struct principal_table *table, const struct policy_client *client,
                         struct class_reason *ret_reason)
{
    return join(table, client->identity, policy_class(table->policy, client, ret_reason));
}

struct share *share_join_class(struct principal_table *table, const struct identity *identity, const char *class_name)
{
    const struct policy_client client = {.identity = identity, .name = ""};
    const struct policy_rule *rule = policy_find(table->policy, PRINCIPAL_CLASS, class_name);
    struct class_reason reason;
    return rule || strcmp(class_name, POLICY_DEFAULT_CLASS) == 0 ? join(table, identity, rule)
                                                                 : share_join(table, &client, &reason);
}

static bool stands_in_group(const struct share *share, const struct policy_rule *group)
{
    return share->group ? group && share->group->id == group->id : !group;
}

/* A client's user never changes. */
struct share *share_join_again(struct principal_table *table, struct share *before, const struct policy_client *client,
                               struct class_reason *ret_reason)
{
    const struct policy_rule *class_rule = policy_class(table->policy, client, ret_reason);
    const char *class_name = class_rule ? class_rule->name : POLICY_DEFAULT_CLASS;
    assert(before->user->id == identity_charged(client->identity));
    if (stands_in_group(before, policy_group(table->policy, client->identity)) &&
        strcmp(before->class->name, class_name) == 0) {
        before->references++;
        return before;
    }
    return join(table, client->identity, class_rule);
}

void share_leave(struct principal_table *table, struct share *share)
{
    assert(share->references > 0);
    if (--share->references > 0) {
        return;
    }
    assert(TAILQ_EMPTY(&share->waiting));
    TAILQ_REMOVE(&table->shares, share, in_table);
    account_deinit(&share->account);
    principal_leave(table, share->user);
    principal_leave(table, share->group);
    principal_leave(table, share->class);
    free(share);
}

void share_accounts(const struct principal_table *table, struct share *share, struct account *ret[ACCOUNT_ABOVE_MAX])
{
    struct account *const above[ACCOUNT_ABOVE_MAX] = {&share->account, &share->user->account,
                                                      share->group ? &share->group->account : NULL,
                                                      &share->class->account, table->host};
    memcpy(ret, above, sizeof above);
}

bool share_is_descendant_of(const struct principal_table *table, const struct share *share,
                            const struct account *account)
{
    return account == table->host || account == &share->user->account || account == &share->class->account ||
           (share->group && account == &share->group->account);
}

/* ---- counts ---- */

static void count(struct share *share, size_t offset, uint64_t number, bool add)
{
    struct principal *const principals[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    for (int i = 0; i < PRINCIPAL_KINDS; i++) {
        if (principals[i]) {
            uint64_t *counted = (uint64_t *)(void *)((char *)principals[i] + offset);
            assert(add || *counted >= number);
            *counted = add ? *counted + number : *counted - number;
        }
    }
}

void share_count_session(struct share *share, bool add)
{
    count(share, offsetof(struct principal, sessions), 1, add);
}

void share_count_leases(struct share *share, uint64_t leases, bool add)
{
    count(share, offsetof(struct principal, leases), leases, add);
}

void share_count_waiting(struct share *share, uint64_t bytes, bool add)
{
    count(share, offsetof(struct principal, waiting), 1, add);
    share_count_waiting_bytes(share, bytes, add);
}

void share_count_waiting_bytes(struct share *share, uint64_t bytes, bool add)
{
    count(share, offsetof(struct principal, waiting_bytes), bytes, add);
}

const struct principal *share_full_of_sessions(const struct share *share)
{
    const struct principal *const principals[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    for (int i = 0; i < PRINCIPAL_KINDS; i++) {
        if (principals[i] && principals[i]->sessions >= principals[i]->quota.max_sessions) {
            return principals[i];
        }
    }
    return NULL;
}

const struct principal *share_full_of_leases(const struct share *share)
{
    const struct principal *const principals[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    for (int i = 0; i < PRINCIPAL_KINDS; i++) {
        if (principals[i] && principals[i]->leases + principals[i]->claimed_leases >= principals[i]->quota.max_leases) {
            return principals[i];
        }
    }
    return NULL;
}

void share_claim_lease(struct share *share, const struct account *last)
{
    struct principal *const principals[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    for (int i = 0; i < PRINCIPAL_KINDS && last; i++) {
        if (principals[i]) {
            principals[i]->claimed_leases++;
            last = last == &principals[i]->account ? NULL : last;
        }
    }
}

void share_forget_claims(struct share *share)
{
    struct principal *const principals[PRINCIPAL_KINDS] = {share->user, share->group, share->class};
    for (int i = 0; i < PRINCIPAL_KINDS; i++) {
        if (principals[i]) {
            principals[i]->claimed_leases = 0;
        }
    }
}
