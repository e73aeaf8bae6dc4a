/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of users, groups and classes. */
#include "daemon/config/quotas.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/ids.h"
#include "proto/base/text.h"
#include "proto/name.h"

static const char *const prefixes[PRINCIPAL_KINDS] = {"user ", "group ", "class "};

static int kind_of(const char *section)
{
    for (int kind = 0; kind < PRINCIPAL_KINDS; kind++) {
        if (strncmp(section, prefixes[kind], strlen(prefixes[kind])) == 0) {
            return kind;
        }
    }
    return -1;
}

const char *quotas_prefix(enum principal_kind kind)
{
    return prefixes[kind];
}

bool quotas_has_section(const char *section)
{
    return kind_of(section) >= 0;
}

void quotas_free(struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        free(policy->rules[i].members);
    }
    free(policy->rules);
    *policy = (struct policy){0};
}

/* ---- sections ---- */

static int name_rule(struct config_draft *draft, const struct config_place *place, struct policy_rule *rule)
{
    bool known = true;
    rule->is_each = rule->kind == PRINCIPAL_USER && strcmp(rule->name, "*") == 0;
    if (rule->kind == PRINCIPAL_USER && !rule->is_each) {
        known = user_from_text(rule->name, &rule->id);
    } else if (rule->kind == PRINCIPAL_GROUP) {
        known = group_from_text(rule->name, &rule->id);
    }
    if (!known) {
        return draft_fail(draft, place, "there is no %s \"%s\"; create it, or give its number",
                          rule->kind == PRINCIPAL_USER ? "user" : "group", rule->name);
    }
    return 0;
}

/* If a user or group had two sections under two names, only one would apply. False after an error. */
static bool is_only_section(struct config_draft *draft, const struct config_place *place,
                            const struct policy_rule *rule)
{
    const struct policy *policy = &draft->config->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *other = &policy->rules[i];
        const struct setting_origin *begun = &draft->rules[i].section;
        if (rule->kind != PRINCIPAL_CLASS && other->kind == rule->kind && !rule->is_each && !other->is_each &&
            other->id == rule->id) {
            (void)draft_fail(draft, place, "%s %" PRIu32 " has a section already, [%s%s] in %s:%d; keep one of the two",
                             rule->kind == PRINCIPAL_USER ? "user" : "group", rule->id, prefixes[other->kind],
                             other->name, begun->file, begun->line);
            return false;
        }
    }
    return true;
}

/* The section's rule, made if it is new; NULL after an error. */
static struct policy_rule *rule_of(struct config_draft *draft, const struct config_place *place)
{
    struct policy *policy = &draft->config->policy;
    int kind = kind_of(place->section);
    assert(kind >= 0); /* quotas_has_section() */
    struct policy_rule rule = {.kind = (enum principal_kind)kind, .quota = quota_none()};
    const char *name = place->section + strlen(prefixes[rule.kind]);
    name += strspn(name, " ");
    if (!*name || strlen(name) >= sizeof rule.name) {
        (void)draft_fail(draft, place, "a name of at most %zu characters is expected in the section",
                         sizeof rule.name - 1);
        return NULL;
    }
    if (!name_is_valid(name)) {
        (void)draft_fail(draft, place, "the section's name is not UTF-8, or has control or invisible characters in it");
        return NULL;
    }
    text_copy(rule.name, sizeof rule.name, name);
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].kind == rule.kind && strcmp(policy->rules[i].name, name) == 0) {
            return &policy->rules[i];
        }
    }
    if (name_rule(draft, place, &rule) < 0 || !is_only_section(draft, place, &rule)) {
        return NULL;
    }
    if (policy->rule_count == POLICY_RULES_MAX) {
        (void)draft_fail(draft, place,
                         "there are %d sections of users, groups and classes already: no more are allowed",
                         POLICY_RULES_MAX);
        return NULL;
    }
    struct policy_rule *rules = reallocarray(policy->rules, policy->rule_count + 1, sizeof *rules);
    if (!rules) {
        (void)draft_fail(draft, place, "out of memory");
        return NULL;
    }
    policy->rules = rules;
    rules[policy->rule_count] = rule;
    struct setting_origin *begun = &draft->rules[policy->rule_count++].section;
    return draft_remember(draft, begun, place) < 0 ? NULL : &rules[policy->rule_count - 1];
}

/* ---- keys ---- */

int quotas_take_section(struct config_draft *draft, const struct config_place *place)
{
    return rule_of(draft, place) ? 0 : -EINVAL;
}

static enum section_key_id find_key(const char *key)
{
    int id = 0;
    while (id < SECTION_KEYS && strcmp(section_keys[id].key, key) != 0) {
        id++;
    }
    return (enum section_key_id)id;
}

/* Whether the rule's section may have the key. */
static int check_section(struct config_draft *draft, const struct config_place *place, const struct policy_rule *rule,
                         enum section_key_id id)
{
    bool is_member =
        id == SECTION_KEY_USERS || id == SECTION_KEY_GROUPS || id == SECTION_KEY_CLIENTS || id == SECTION_KEY_SLICES;
    if (section_keys[id].is_for_classes && rule->kind != PRINCIPAL_CLASS) {
        return draft_fail(draft, place,
                          is_member
                              ? "only a class has members; a user or a group is named by its section"
                              : "this is a class's; put it under [class NAME], [class default] is everybody else's");
    }
    if (id == SECTION_KEY_RESERVE_BYTES && rule->is_each) {
        return draft_fail(draft, place,
                          "the number of users is not known: set reserves for users, groups or classes by name");
    }
    return 0;
}

int quotas_take_line(struct config_draft *draft, const struct config_place *place, const char *text)
{
    struct policy_rule *rule = rule_of(draft, place);
    enum section_key_id id = find_key(place->key);
    struct value_reading reading;
    if (!rule) {
        return -EINVAL;
    }
    if (id == SECTION_KEYS) {
        return draft_fail(draft, place, "there is no such key; membroker.conf(5) has the list");
    }
    struct rule_origins *origins = &draft->rules[rule - draft->config->policy.rules];
    int result = draft_remember(draft, &origins->keys[id], place);
    if (result == 0) {
        result = check_section(draft, place, rule, id);
    }
    if (result < 0) {
        return result;
    }
    const struct setting *key = &section_keys[id];
    const char *wrong = setting_parse(key, rule, draft->config->host_total_bytes, text, &reading);
    if (!wrong) {
        return 0;
    }
    return key->type->names_word ? draft_fail(draft, place, "%s", wrong)
                                 : draft_fail(draft, place, "\"%s\": %s", text, wrong);
}

void quotas_swap(struct policy *a, struct policy *b)
{
    struct policy_rule *rules = a->rules;
    size_t rule_count = a->rule_count;
    a->rules = b->rules;
    a->rule_count = b->rule_count;
    b->rules = rules;
    b->rule_count = rule_count;
}

/* ---- printing ---- */

/* A user without max_sessions has max_sessions_per_user: "unlimited" would be misleading. */
static bool shows_default(const struct policy_rule *rule, enum section_key_id id)
{
    return section_keys[id].type->shows_default && !(id == SECTION_KEY_MAX_SESSIONS && rule->kind == PRINCIPAL_USER);
}

static bool is_shown(const struct policy_rule *rule, enum section_key_id id)
{
    const struct policy_rule empty = {.kind = rule->kind, .quota = quota_none()};
    const struct setting *key = &section_keys[id];
    return shows_default(rule, id) || (setting_is_set(key, rule) && setting_differs(key, rule, &empty));
}

static void print_rule(const struct policy_rule *rule, FILE *out)
{
    (void)fprintf(out, "\n[%s%s]\n", prefixes[rule->kind], rule->name);
    for (int id = 0; id < SECTION_KEYS; id++) {
        if (is_shown(rule, (enum section_key_id)id)) {
            (void)fprintf(out, "%s = ", section_keys[id].key);
            setting_print(&section_keys[id], rule, out);
            (void)fputc('\n', out);
        }
    }
}

void quotas_print(const struct policy *policy, FILE *out)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        print_rule(&policy->rules[i], out);
    }
}
