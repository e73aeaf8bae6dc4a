/* SPDX-License-Identifier: Apache-2.0 */
/* Finding who stands under which rule. */
#include "daemon/core/policy.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct quota quota_none(void)
{
    return (struct quota){
        .limits = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF}, .max_leases = LIMIT_OFF, .max_sessions = LIMIT_OFF, .weight = 1};
}

static void free_members(struct policy_rule *rule)
{
    for (size_t i = 0; i < rule->member_count; i++) {
        free(rule->members[i].path);
    }
    free(rule->members);
    rule->members = NULL;
    rule->member_count = 0;
}

struct policy *policy_free(struct policy *policy)
{
    for (size_t i = 0; policy && i < policy->rule_count; i++) {
        free_members(&policy->rules[i]);
    }
    if (policy) {
        free(policy->rules);
    }
    free(policy);
    return NULL;
}

static bool copy_member(struct policy_member *to, const struct policy_member *from)
{
    *to = *from;
    if (from->path) {
        size_t size = strlen(from->path) + 1;
        to->path = malloc(size);
        if (!to->path) {
            return false;
        }
        memcpy(to->path, from->path, size);
    }
    return true;
}

static bool copy_members(struct policy_rule *to, const struct policy_rule *from)
{
    to->members = NULL;
    to->member_count = 0;
    if (from->member_count == 0) {
        return true;
    }
    to->members = calloc(from->member_count, sizeof *to->members);
    if (!to->members) {
        return false;
    }
    for (; to->member_count < from->member_count; to->member_count++) {
        if (!copy_member(&to->members[to->member_count], &from->members[to->member_count])) {
            free_members(to);
            return false;
        }
    }
    return true;
}

struct policy *policy_copy(const struct policy *policy)
{
    struct policy *copy = calloc(1, sizeof *copy);
    size_t count = policy ? policy->rule_count : 0;
    if (!copy || (count && !(copy->rules = calloc(count, sizeof *copy->rules)))) {
        return policy_free(copy);
    }
    if (policy) {
        copy->access = policy->access;
    }
    for (; copy->rule_count < count; copy->rule_count++) {
        struct policy_rule *rule = &copy->rules[copy->rule_count];
        *rule = policy->rules[copy->rule_count];
        if (!copy_members(rule, &policy->rules[copy->rule_count])) {
            return policy_free(copy);
        }
    }
    return copy;
}

const struct policy_rule *policy_user(const struct policy *policy, uint32_t uid)
{
    const struct policy_rule *each = NULL;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->kind == PRINCIPAL_USER && !rule->is_each && rule->id == uid) {
            return rule;
        }
        each = rule->kind == PRINCIPAL_USER && rule->is_each ? rule : each;
    }
    return each;
}

const struct policy_rule *policy_group(const struct policy *policy, const struct identity *identity)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->kind == PRINCIPAL_GROUP && identity_has_group(identity, rule->id)) {
            return rule;
        }
    }
    return NULL;
}

static enum class_rule rule_of(enum member_kind kind)
{
    static const enum class_rule rules[] = {[MEMBER_USER] = CLASS_RULE_USERS,
                                            [MEMBER_GROUP] = CLASS_RULE_GROUPS,
                                            [MEMBER_CLIENT] = CLASS_RULE_CLIENTS,
                                            [MEMBER_SLICE] = CLASS_RULE_SLICES,
                                            [MEMBER_PATH] = CLASS_RULE_RESERVATION};
    return rules[kind];
}

/* How closely a member describes a client; 0: it is not that member. */
static unsigned closeness(const struct policy_member *member, const struct policy_client *client)
{
    if (member->kind == MEMBER_USER) {
        return member->id == client->identity->uid;
    }
    if (member->kind == MEMBER_GROUP) {
        return identity_has_group(client->identity, member->id);
    }
    if (member->kind == MEMBER_CLIENT) {
        return fnmatch(member->name, client->name, 0) == 0;
    }
    return member->kind == MEMBER_SLICE ? control_pattern_match(member->name, client->control_groups)
                                        : control_path_match(member->path, client->control_groups);
}

/* What is looked at together: reservations, slices, all else. */
enum precedence { BY_RESERVATION, BY_SLICE, BY_ALL_ELSE, PRECEDENCES };

static enum precedence precedence_of(enum member_kind kind)
{
    return kind == MEMBER_PATH ? BY_RESERVATION : kind == MEMBER_SLICE ? BY_SLICE : BY_ALL_ELSE;
}

/* The class with the closest member; the first of those that are as close. */
static const struct policy_rule *find_class(const struct policy *policy, const struct policy_client *client,
                                            enum precedence precedence, struct class_reason *ret_reason)
{
    const struct policy_rule *found = NULL;
    unsigned closest = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool is_for_it = rule->kind == PRINCIPAL_CLASS && (!rule->has_owner || rule->owner == client->identity->uid);
        for (size_t j = 0; is_for_it && j < rule->member_count; j++) {
            const struct policy_member *member = &rule->members[j];
            unsigned close = precedence_of(member->kind) == precedence ? closeness(member, client) : 0;
            if (close > closest) {
                closest = close;
                found = rule;
                *ret_reason = (struct class_reason){rule_of(member->kind), member->name};
            }
        }
    }
    return found;
}

const struct policy_rule *policy_class(const struct policy *policy, const struct policy_client *client,
                                       struct class_reason *ret_reason)
{
    const struct policy_rule *found = NULL;
    for (int precedence = 0; !found && precedence < PRECEDENCES; precedence++) {
        found = find_class(policy, client, (enum precedence)precedence, ret_reason);
    }
    if (!found) {
        *ret_reason = (struct class_reason){.rule = CLASS_RULE_DEFAULT};
    }
    return found ? found : policy_find(policy, PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
}

const struct policy_rule *policy_find(const struct policy *policy, enum principal_kind kind, const char *name)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].kind == kind && strcmp(policy->rules[i].name, name) == 0) {
            return &policy->rules[i];
        }
    }
    return NULL;
}
