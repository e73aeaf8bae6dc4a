/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/doubts.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/config/quotas.h"
#include "proto/base/size.h"

/* ---- settings that contradict each other; only settings from files are compared ---- */

enum { SMALLEST_SEGMENT_BYTES = 4096 };

struct pair {
    enum setting_id part, whole;
};

static const struct pair pairs[] = {
    {SETTING_MAX_PHYSICAL_BYTES, SETTING_MAX_BYTES},
    {SETTING_MAX_MAPPED_BYTES, SETTING_MAX_BYTES},
    {SETTING_MAX_WAITING_PER_USER, SETTING_MAX_WAITING},
    {SETTING_MAX_WAITING_PER_SESSION, SETTING_MAX_WAITING_PER_USER},
    {SETTING_MAX_WAITING_PER_SESSION, SETTING_MAX_WAITING},
    {SETTING_MAX_REQUESTS, SETTING_MAX_REQUESTS_PER_USER},
    {SETTING_MAX_MESSAGES, SETTING_MAX_MESSAGES_PER_USER},
    {SETTING_MAX_UNREAD, SETTING_MAX_UNREAD_PER_USER},
    {SETTING_MAX_CONTROL_BYTES_PER_USER, SETTING_MAX_CONTROL_BYTES},
    {SETTING_REVOKE_GRACE, SETTING_MAX_WAIT},
};

static void print_place(const struct setting_origin *origin, FILE *out)
{
    (void)fprintf(out, "%s:%d: ", origin->file, origin->line);
}

static void print_pair(const struct config_draft *draft, const struct pair *pair, FILE *out)
{
    const struct setting *part = &settings[pair->part], *whole = &settings[pair->whole];
    print_place(&draft->origins[pair->part], out);
    (void)fprintf(out, "[%s] %s never counts: %s is smaller\n", part->section, part->key, whole->key);
}

static uint64_t number_of(const struct config *config, enum setting_id id)
{
    const void *value = setting_const_value(&settings[id], config);
    return settings[id].type->bytes == sizeof(uint64_t) ? *(const uint64_t *)value : *(const uint32_t *)value;
}

/* Both are sizes, numbers or durations. */
static bool is_larger(const struct config *config, enum setting_id id, enum setting_id than)
{
    uint64_t number = number_of(config, id);
    return number != LIMIT_OFF && number > number_of(config, than);
}

static void print_pairs(const struct config_draft *draft, FILE *out)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (draft_has(draft, pairs[i].part) && draft_has(draft, pairs[i].whole) &&
            is_larger(draft->config, pairs[i].part, pairs[i].whole)) {
            print_pair(draft, &pairs[i], out);
        }
    }
}

/* 0 is said on purpose; a few bytes are a unit forgotten. */
static void print_tiny(const struct config_draft *draft, FILE *out)
{
    static const enum setting_id limits[] = {SETTING_MAX_BYTES, SETTING_MAX_PHYSICAL_BYTES, SETTING_MAX_MAPPED_BYTES};
    char text[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        uint64_t limit = number_of(draft->config, limits[i]);
        if (draft_has(draft, limits[i]) && limit > 0 && limit < SMALLEST_SEGMENT_BYTES) {
            print_place(&draft->origins[limits[i]], out);
            (void)fprintf(out, "[limits] %s is %s, which is less than a page of memory: nothing can be leased\n",
                          settings[limits[i]].key, size_to_text(limit, text));
        }
    }
}

static bool has_id(const struct access_list *list, uint32_t id)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void print_denied(const struct config_draft *draft, enum setting_id allow, enum setting_id deny,
                         const struct access_list *allowed, const struct access_list *denied, FILE *out)
{
    for (uint32_t i = 0; i < allowed->count; i++) {
        if (has_id(denied, allowed->ids[i])) {
            print_place(&draft->origins[allow], out);
            (void)fprintf(out, "[access] %s has %" PRIu32 ", and %s has it as well, which counts\n",
                          settings[allow].key, allowed->ids[i], settings[deny].key);
        }
    }
}

/* ---- sections ---- */

static void print_limit(const struct config_draft *draft, size_t index, const char *key, uint64_t limit,
                        const char *larger, uint64_t most, FILE *out)
{
    const struct policy_rule *rule = &draft->config->policy.rules[index];
    char limit_text[SIZE_TEXT_BYTES], most_text[SIZE_TEXT_BYTES];
    if (limit != LIMIT_OFF && limit > most) {
        print_place(&draft->rules[index].section, out);
        (void)fprintf(out, "[%s%s] %s (%s) never counts: %s is %s\n", quotas_prefix(rule->kind), rule->name, key,
                      size_to_text(limit, limit_text), larger, size_to_text(most, most_text));
    }
}

/* A slice or control group of a class after that of another one, which has everything that it would have. */
static void print_covered(const struct config_draft *draft, size_t index, const struct policy_member *member, FILE *out)
{
    const struct policy *policy = &draft->config->policy;
    for (size_t i = 0; i < index; i++) {
        const struct policy_rule *earlier = &policy->rules[i];
        for (size_t j = 0; j < earlier->member_count; j++) {
            const struct policy_member *other = &earlier->members[j];
            if (other->kind == MEMBER_SLICE && control_pattern_covers(other->name, member->name)) {
                print_place(&draft->rules[index].keys[SECTION_KEY_SLICES], out);
                (void)fprintf(out, "[class %s] slices: %s never matches, because %s in [class %s] stands before it\n",
                              policy->rules[index].name, member->name, other->name, earlier->name);
                return;
            }
        }
    }
}

static void print_slices(const struct config_draft *draft, size_t index, FILE *out)
{
    const struct policy_rule *rule = &draft->config->policy.rules[index];
    for (size_t i = 0; i < rule->member_count; i++) {
        if (rule->members[i].kind == MEMBER_SLICE) {
            print_covered(draft, index, &rule->members[i], out);
        }
    }
}

static void print_section(const struct config_draft *draft, size_t index, FILE *out)
{
    const struct policy_rule *rule = &draft->config->policy.rules[index];
    const struct byte_limits *own = &rule->quota.limits, *host = &draft->config->broker.limits;
    if (rule->kind == PRINCIPAL_CLASS && rule->member_count == 0 && strcmp(rule->name, POLICY_DEFAULT_CLASS) != 0) {
        print_place(&draft->rules[index].section, out);
        (void)fprintf(out,
                      "[class %s] has no members and so no effect; name some with slices, users, groups or "
                      "clients\n",
                      rule->name);
    }
    print_slices(draft, index, out);
    print_limit(draft, index, "max_physical_bytes", own->max_physical_bytes, "its max_bytes", own->max_bytes, out);
    print_limit(draft, index, "max_mapped_bytes", own->max_mapped_bytes, "its max_bytes", own->max_bytes, out);
    print_limit(draft, index, "max_bytes", own->max_bytes, "the host's", host->max_bytes, out);
    print_limit(draft, index, "max_physical_bytes", own->max_physical_bytes, "the host's", host->max_physical_bytes,
                out);
    print_limit(draft, index, "max_mapped_bytes", own->max_mapped_bytes, "the host's", host->max_mapped_bytes, out);
}

void doubts_print(const struct config_draft *draft, FILE *out)
{
    const struct access *access = &draft->config->policy.access;
    print_pairs(draft, out);
    print_tiny(draft, out);
    print_denied(draft, SETTING_ALLOW_USERS, SETTING_DENY_USERS, &access->allow_users, &access->deny_users, out);
    print_denied(draft, SETTING_ALLOW_GROUPS, SETTING_DENY_GROUPS, &access->allow_groups, &access->deny_groups, out);
    for (size_t i = 0; i < draft->config->policy.rule_count; i++) {
        print_section(draft, i, out);
    }
}
