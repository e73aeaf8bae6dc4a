/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas as text. */
#include "daemon/config/quotas.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config_line.h"
#include "daemon/config/ids.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/text.h"
#include "proto/name.h"

enum { NUMBER_MAX = 1000 };

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

__attribute__((format(printf, 3, 4))) static int fail(struct config_draft *draft, const struct quota_line *line,
                                                      const char *format, ...)
{
    cleanup(freep) char *what = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&what, format, arguments);
    va_end(arguments);
    if (length < 0) {
        what = NULL;
        return -ENOMEM;
    }
    return draft_fail(draft, line->file, line->line, NULL, "[%s]%s%s: %s", line->section, line->key ? " " : "",
                      line->key ? line->key : "", what);
}

/* ---- sections ---- */

static int name_rule(struct config_draft *draft, const struct quota_line *line, struct policy_rule *rule)
{
    bool known = true;
    rule->is_each = rule->kind == PRINCIPAL_USER && strcmp(rule->name, "*") == 0;
    if (rule->kind == PRINCIPAL_USER && !rule->is_each) {
        known = user_from_text(rule->name, &rule->id);
    } else if (rule->kind == PRINCIPAL_GROUP) {
        known = group_from_text(rule->name, &rule->id);
    }
    if (!known) {
        return fail(draft, line, "there is no %s \"%s\"; create it, or give its number",
                    rule->kind == PRINCIPAL_USER ? "user" : "group", rule->name);
    }
    return 0;
}

/* Two names of one user or group: only one of the two would ever count. False after an error. */
static bool is_only_section(struct config_draft *draft, const struct quota_line *line, const struct policy_rule *rule)
{
    const struct policy *policy = &draft->config->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *other = &policy->rules[i];
        const struct setting_origin *begun = &draft->sections[i];
        if (rule->kind != PRINCIPAL_CLASS && other->kind == rule->kind && !rule->is_each && !other->is_each &&
            other->id == rule->id) {
            (void)fail(draft, line, "%s %" PRIu32 " has a section already, [%s%s] in %s:%d; keep one of the two",
                       rule->kind == PRINCIPAL_USER ? "user" : "group", rule->id, prefixes[other->kind], other->name,
                       begun->file, begun->line);
            return false;
        }
    }
    return true;
}

/* The section's rule, made if it is new; NULL after an error. */
static struct policy_rule *rule_of(struct config_draft *draft, const struct quota_line *line)
{
    struct policy *policy = &draft->config->policy;
    int kind = kind_of(line->section);
    assert(kind >= 0); /* quotas_has_section() */
    struct policy_rule rule = {.kind = (enum principal_kind)kind, .quota = quota_none()};
    const char *name = line->section + strlen(prefixes[rule.kind]);
    name += strspn(name, " ");
    if (!*name || strlen(name) >= sizeof rule.name) {
        (void)fail(draft, line, "a name of at most %zu characters is expected in the section", sizeof rule.name - 1);
        return NULL;
    }
    if (!name_is_valid(name)) {
        (void)fail(draft, line, "the section's name is not UTF-8, or has control or invisible characters in it");
        return NULL;
    }
    text_copy(rule.name, sizeof rule.name, name);
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].kind == rule.kind && strcmp(policy->rules[i].name, name) == 0) {
            return &policy->rules[i];
        }
    }
    if (name_rule(draft, line, &rule) < 0 || !is_only_section(draft, line, &rule)) {
        return NULL;
    }
    if (policy->rule_count == POLICY_RULES_MAX) {
        (void)fail(draft, line, "there are %d sections of users, groups and classes already: no more are allowed",
                   POLICY_RULES_MAX);
        return NULL;
    }
    struct policy_rule *rules = reallocarray(policy->rules, policy->rule_count + 1, sizeof *rules);
    if (!rules) {
        (void)fail(draft, line, "out of memory");
        return NULL;
    }
    policy->rules = rules;
    rules[policy->rule_count] = rule;
    struct setting_origin *begun = &draft->sections[policy->rule_count++];
    return draft_remember(draft, begun, line->file, line->line) < 0 ? NULL : &rules[policy->rule_count - 1];
}

/* ---- members ---- */

static int add_member(struct config_draft *draft, const struct quota_line *line, struct policy_rule *rule,
                      enum member_kind kind, const char *word, size_t length)
{
    struct policy_member member = {.kind = kind};
    bool known = true;
    if (length >= sizeof member.name) {
        return fail(draft, line, "\"%.*s\" is too long", (int)length, word);
    }
    memcpy(member.name, word, length);
    if (!name_is_valid(member.name)) {
        return fail(draft, line, "a name is not UTF-8, or has control or invisible characters in it");
    }
    if (kind == MEMBER_USER) {
        known = user_from_text(member.name, &member.id);
    } else if (kind == MEMBER_GROUP) {
        known = group_from_text(member.name, &member.id);
    }
    if (!known) {
        return fail(draft, line, "there is no %s \"%s\"; create it, or give its number",
                    kind == MEMBER_USER ? "user" : "group", member.name);
    }
    struct policy_member *members = reallocarray(rule->members, rule->member_count + 1, sizeof *members);
    if (!members) {
        return fail(draft, line, "out of memory");
    }
    rule->members = members;
    members[rule->member_count++] = member;
    return 0;
}

/* A drop-in's list replaces the one before. */
static void drop_members(struct policy_rule *rule, enum member_kind kind)
{
    size_t kept = 0;
    for (size_t i = 0; i < rule->member_count; i++) {
        if (rule->members[i].kind != kind) {
            rule->members[kept++] = rule->members[i];
        }
    }
    rule->member_count = kept;
}

static int take_members(struct config_draft *draft, const struct quota_line *line, struct policy_rule *rule,
                        enum member_kind kind)
{
    const char *between = " \t,";
    const char *rest = line->value + strspn(line->value, between);
    if (rule->kind != PRINCIPAL_CLASS) {
        return fail(draft, line, "only a class has members; a user or a group is named by its section");
    }
    drop_members(rule, kind);
    while (*rest) {
        size_t length = strcspn(rest, between);
        int result = add_member(draft, line, rule, kind, rest, length);
        if (result < 0) {
            return result;
        }
        rest += length;
        rest += strspn(rest, between);
    }
    return 0;
}

/* ---- values ---- */

static int take_size(struct config_draft *draft, const struct quota_line *line, uint64_t *ret)
{
    const char *wrong = limit_from_text(line->value, draft->config->host_total_bytes, ret);
    return wrong ? fail(draft, line, "\"%s\": %s", line->value, wrong) : 0;
}

static int take_number(struct config_draft *draft, const struct quota_line *line, uint32_t least, uint32_t most,
                       uint32_t *ret)
{
    if (!number_from_text(line->value, most, ret) || *ret < least) {
        return fail(draft, line, "\"%s\": a number from %u to %u is expected", line->value, least, most);
    }
    return 0;
}

/* As for sizes, 0 switches the limit off. */
static int take_count(struct config_draft *draft, const struct quota_line *line, uint64_t *ret)
{
    uint32_t count = 0;
    if (strcmp(line->value, "unlimited") == 0 || strcmp(line->value, "nothing") == 0) {
        *ret = line->value[0] == 'u' ? LIMIT_OFF : 0;
        return 0;
    }
    int result = take_number(draft, line, 0, UINT32_MAX - 1, &count);
    *ret = result == 0 && count ? count : LIMIT_OFF;
    return result;
}

static int take_reserve(struct config_draft *draft, const struct quota_line *line, struct policy_rule *rule)
{
    int result = take_size(draft, line, &rule->quota.reserve_bytes);
    if (rule->is_each) {
        return fail(draft, line,
                    "nobody knows how many users there will be: reserve for users, groups or classes by name");
    }
    if (result == 0 && strcmp(line->value, "unlimited") == 0) {
        return fail(draft, line, "a reserve has a size; 0 is none");
    }
    if (rule->quota.reserve_bytes == LIMIT_OFF) {
        rule->quota.reserve_bytes = 0; /* here 0 is nothing, as everybody would read it */
    }
    size_t index = (size_t)(rule - draft->config->policy.rules);
    return result < 0 ? result : draft_remember(draft, &draft->reserves[index], line->file, line->line);
}

static int take_word(struct config_draft *draft, const struct quota_line *line, const char *const words[], size_t count,
                     const char *expected, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(line->value, words[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return fail(draft, line, "\"%s\": %s is expected", line->value, expected);
}

static const char *const charge_words[] = {"", "broker", "client"};
static const char *const huge_words[] = {"never", "try", "always"};

static int take_choice(struct config_draft *draft, const struct quota_line *line, struct policy_rule *rule)
{
    unsigned choice = 0;
    int result;
    if (rule->kind != PRINCIPAL_CLASS) {
        return fail(draft, line, "this is a class's; put it under [class NAME], [class default] is everybody else's");
    }
    if (strcmp(line->key, "charge") == 0) {
        result = take_word(draft, line, charge_words + 1, 2, "broker or client", &choice);
        rule->quota.charge = (enum charged_to)(choice + 1);
        return result;
    }
    result = take_word(draft, line, huge_words, 3, "never, try or always", &choice);
    rule->quota.huge_pages = (enum huge_pages)choice;
    rule->quota.has_huge_pages = true;
    size_t index = (size_t)(rule - draft->config->policy.rules);
    return result < 0 ? result : draft_remember(draft, &draft->huge[index], line->file, line->line);
}

static const char *const keys[QUOTA_KEYS] = {
    [QUOTA_USERS] = "users",
    [QUOTA_GROUPS] = "groups",
    [QUOTA_CLIENTS] = "clients",
    [QUOTA_MAX_BYTES] = "max_bytes",
    [QUOTA_MAX_PHYSICAL_BYTES] = "max_physical_bytes",
    [QUOTA_MAX_MAPPED_BYTES] = "max_mapped_bytes",
    [QUOTA_MAX_LEASES] = "max_leases",
    [QUOTA_MAX_SESSIONS] = "max_sessions",
    [QUOTA_RESERVE_BYTES] = "reserve_bytes",
    [QUOTA_PRIORITY] = "priority",
    [QUOTA_WEIGHT] = "weight",
    [QUOTA_CHARGE] = "charge",
    [QUOTA_HUGE] = "huge",
};

static int take_value(struct config_draft *draft, const struct quota_line *line, struct policy_rule *rule,
                      enum quota_key key)
{
    struct quota *quota = &rule->quota;
    switch (key) {
    case QUOTA_USERS:
        return take_members(draft, line, rule, MEMBER_USER);
    case QUOTA_GROUPS:
        return take_members(draft, line, rule, MEMBER_GROUP);
    case QUOTA_CLIENTS:
        return take_members(draft, line, rule, MEMBER_CLIENT);
    case QUOTA_MAX_BYTES:
        return take_size(draft, line, &quota->limits.max_bytes);
    case QUOTA_MAX_PHYSICAL_BYTES:
        return take_size(draft, line, &quota->limits.max_physical_bytes);
    case QUOTA_MAX_MAPPED_BYTES:
        return take_size(draft, line, &quota->limits.max_mapped_bytes);
    case QUOTA_MAX_LEASES:
        return take_count(draft, line, &quota->max_leases);
    case QUOTA_MAX_SESSIONS:
        return take_count(draft, line, &quota->max_sessions);
    case QUOTA_RESERVE_BYTES:
        return take_reserve(draft, line, rule);
    case QUOTA_PRIORITY:
        quota->has_priority = true;
        return take_number(draft, line, 0, NUMBER_MAX, &quota->priority);
    case QUOTA_WEIGHT:
        quota->has_weight = true;
        return take_number(draft, line, 1, NUMBER_MAX, &quota->weight);
    case QUOTA_CHARGE:
    case QUOTA_HUGE:
        return take_choice(draft, line, rule);
    case QUOTA_KEYS:
        break;
    }
    return fail(draft, line, "there is no such key; membroker.conf(5) has the list");
}

int quotas_take_section(struct config_draft *draft, const struct quota_line *line)
{
    return rule_of(draft, line) ? 0 : -EINVAL;
}

int quotas_take_line(struct config_draft *draft, const struct quota_line *line)
{
    struct policy_rule *rule = rule_of(draft, line);
    unsigned key = 0;
    if (!rule) {
        return -EINVAL;
    }
    while (key < QUOTA_KEYS && strcmp(keys[key], line->key) != 0) {
        key++;
    }
    if (key < QUOTA_KEYS) {
        int *seen = &draft->seen[rule - draft->config->policy.rules][key];
        if (*seen) {
            return fail(draft, line, "it was set before, in line %d; keep one of the two", *seen);
        }
        *seen = line->line;
    }
    return take_value(draft, line, rule, (enum quota_key)key);
}

/* ---- printing ---- */

static void print_limit(const char *key, uint64_t value, FILE *out)
{
    if (value != LIMIT_OFF) {
        (void)fprintf(out, "%s = ", key);
        limit_print(value, out);
        (void)fputc('\n', out);
    }
}

static void print_number(const char *key, bool is_set, uint64_t value, FILE *out)
{
    if (is_set) {
        (void)fprintf(out, "%s = %" PRIu64 "\n", key, value);
    }
}

static void print_count(const char *key, uint64_t count, FILE *out)
{
    if (count == 0 || count == LIMIT_OFF) {
        (void)fprintf(out, "%s = %s\n", key, count ? "unlimited" : "nothing");
    } else {
        print_number(key, true, count, out);
    }
}

static void print_members(const struct policy_rule *rule, enum member_kind kind, const char *key, FILE *out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *list = open_memstream(&text, &size);
    if (!list) {
        return;
    }
    for (size_t i = 0; i < rule->member_count; i++) {
        if (rule->members[i].kind == kind) {
            (void)fprintf(list, "%s%s", ftell(list) > 0 ? " " : "", rule->members[i].name);
        }
    }
    if (fclose(list) == 0 && text && *text) {
        (void)fprintf(out, "%s = ", key);
        config_line_print_value(text, out);
        (void)fputc('\n', out);
    }
    free(text);
}

static void print_rule(const struct policy_rule *rule, FILE *out)
{
    const struct quota *quota = &rule->quota;
    (void)fprintf(out, "\n[%s%s]\n", prefixes[rule->kind], rule->name);
    print_members(rule, MEMBER_USER, "users", out);
    print_members(rule, MEMBER_GROUP, "groups", out);
    print_members(rule, MEMBER_CLIENT, "clients", out);
    print_limit("max_bytes", quota->limits.max_bytes, out);
    print_limit("max_physical_bytes", quota->limits.max_physical_bytes, out);
    print_limit("max_mapped_bytes", quota->limits.max_mapped_bytes, out);
    print_count("max_leases", quota->max_leases, out);
    if (rule->kind != PRINCIPAL_USER || quota->max_sessions != LIMIT_OFF) {
        print_count("max_sessions", quota->max_sessions, out); /* without it a user has max_sessions_per_user */
    }
    print_limit("reserve_bytes", quota->reserve_bytes ? quota->reserve_bytes : LIMIT_OFF, out);
    print_number("priority", quota->has_priority, quota->priority, out);
    print_number("weight", quota->has_weight, quota->weight, out);
    if (quota->charge != CHARGE_UNSPECIFIED) {
        (void)fprintf(out, "charge = %s\n", charge_words[quota->charge]);
    }
    if (quota->has_huge_pages) {
        (void)fprintf(out, "huge = %s\n", huge_words[quota->huge_pages]);
    }
}

void quotas_print(const struct policy *policy, FILE *out)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        print_rule(&policy->rules[i], out);
    }
}
