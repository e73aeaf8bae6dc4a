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

struct policy *policy_free(struct policy *policy)
{
    for (size_t i = 0; policy && i < policy->rule_count && !policy->borrows_members; i++) {
        free(policy->rules[i].members);
    }
    if (policy) {
        free(policy->rules);
        path_index_deinit(&policy->paths);
    }
    free(policy);
    return NULL;
}

static bool index_paths(struct policy *policy)
{
    size_t count = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        count += policy->rules[i].groups ? policy->rules[i].groups->count : 0;
    }
    if (count && path_index_init(&policy->paths, count) < 0) {
        return false;
    }
    for (size_t i = 0; i < policy->rule_count && count; i++) {
        const struct control_paths *groups = policy->rules[i].groups;
        for (size_t j = 0; groups && j < groups->count; j++) {
            path_index_add(&policy->paths, groups->paths[j], i);
        }
    }
    return true;
}

struct policy *policy_borrow(const struct policy *policy)
{
    struct policy *copy = calloc(1, sizeof *copy);
    size_t count = policy ? policy->rule_count : 0;
    if (!copy || (count && !(copy->rules = calloc(count, sizeof *copy->rules)))) {
        return policy_free(copy);
    }
    copy->borrows_members = true;
    if (count) {
        memcpy(copy->rules, policy->rules, count * sizeof *copy->rules);
        copy->rule_count = count;
    }
    if (policy) {
        copy->access = policy->access;
    }
    return index_paths(copy) ? copy : policy_free(copy);
}

static bool copy_members(struct policy_rule *rule)
{
    size_t size = rule->member_count * sizeof *rule->members;
    struct policy_member *members = size ? malloc(size) : NULL;
    if (members) {
        memcpy(members, rule->members, size);
    }
    rule->members = members;
    return members || !size;
}

struct policy *policy_copy(const struct policy *policy)
{
    struct policy *copy = policy_borrow(policy);
    bool has_all = copy;
    for (size_t i = 0; copy && i < copy->rule_count; i++) {
        has_all = copy_members(&copy->rules[i]) && has_all; /* none of the other policy's is left */
    }
    if (copy) {
        copy->borrows_members = false;
    }
    return has_all ? copy : policy_free(copy);
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
                                            [MEMBER_SLICE] = CLASS_RULE_SLICES};
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
    return control_pattern_match(member->name, client->control_groups);
}

static bool is_for(const struct policy_rule *rule, const struct policy_client *client)
{
    return !rule->has_owner || rule->owner == client->identity->uid;
}

/* Of two paths the one with more names; of two with as many that of the older reservation, whose rule comes first. */
static bool is_closer(const struct path_place *place, const struct path_place *than)
{
    return !than || place->names > than->names || (place->names == than->names && place->owner < than->owner);
}

/* The closest path of a reservation that the client may be in. */
static const struct path_place *find_path(const struct policy *policy, const struct policy_client *client)
{
    const struct path_place *closest = NULL, *place;
    struct path_walk walk = path_walk_begin(client->control_groups);
    while ((place = path_walk_next(&policy->paths, &walk))) {
        if (is_for(&policy->rules[place->owner], client) && is_closer(place, closest)) {
            closest = place;
        }
    }
    return closest;
}

const char *policy_reserved_path(const struct policy *policy, const struct policy_client *client)
{
    const struct path_place *place = find_path(policy, client);
    return place ? place->path : NULL;
}

/* The class with the closest member; the first of those that are as close. What has an owner has no members. */
static const struct policy_rule *find_class(const struct policy *policy, const struct policy_client *client,
                                            bool by_slice, struct class_reason *ret_reason)
{
    const struct policy_rule *found = NULL;
    unsigned closest = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        for (size_t j = 0; j < rule->member_count; j++) {
            const struct policy_member *member = &rule->members[j];
            unsigned close = (member->kind == MEMBER_SLICE) == by_slice ? closeness(member, client) : 0;
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
    const struct path_place *place = find_path(policy, client);
    if (place) {
        *ret_reason = (struct class_reason){CLASS_RULE_RESERVATION, place->path};
        return &policy->rules[place->owner];
    }
    const struct policy_rule *found = find_class(policy, client, true, ret_reason);
    found = found ? found : find_class(policy, client, false, ret_reason);
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
