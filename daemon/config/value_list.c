/* SPDX-License-Identifier: Apache-2.0 */
/* Types of lists: sizes, users, groups, and the members of a class. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config_line.h"
#include "daemon/config/ids.h"
#include "daemon/config/value.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/text.h"
#include "proto/name.h"

enum { QUOTED_SIZE = 56 }; /* of a pattern in a sentence */

/* ---- sizes ---- */

static const char *parse_sizes(struct value_reading *reading, const char *text, void *value)
{
    struct pool_sizes *sizes = value;
    char copy[512], *rest = copy;
    const char *word;
    (void)snprintf(copy, sizeof copy, "%s", text);
    sizes->count = 0;
    while ((word = strsep(&rest, " \t,"))) {
        if (!*word) {
            continue;
        }
        if (sizes->count == POOL_SIZES_MAX) {
            return "at most 16 sizes can be kept ready";
        }
        uint64_t *size = &sizes->bytes[sizes->count];
        if (size_from_text(word, reading->host_bytes, size) < 0 || !*size) {
            return "sizes are expected, such as 1M 64M 1G";
        }
        sizes->count++;
    }
    return NULL;
}

static void print_sizes(const struct value_type *type, const void *value, FILE *out)
{
    const struct pool_sizes *sizes = value;
    (void)type;
    for (size_t i = 0; i < sizes->count; i++) {
        char text[SIZE_TEXT_BYTES];
        (void)fprintf(out, "%s%s", i ? " " : "", size_to_exact_text(sizes->bytes[i], text));
    }
}

static bool sizes_are_set(const struct value_type *type, const void *value)
{
    (void)type;
    return ((const struct pool_sizes *)value)->count > 0;
}

static bool sizes_differ(const struct value_type *type, const void *a, const void *b)
{
    (void)type;
    const struct pool_sizes *left = a, *right = b;
    return left->count != right->count || memcmp(left->bytes, right->bytes, left->count * sizeof *left->bytes) != 0;
}

const struct value_type value_type_SIZES = {.name = "sizes",
                                            .bytes = sizeof(value_SIZES),
                                            .parse = parse_sizes,
                                            .print = print_sizes,
                                            .is_set = sizes_are_set,
                                            .differs = sizes_differ};

/* ---- users and groups ---- */

static const char *parse_users(struct value_reading *reading, const char *text, void *value)
{
    return users_from_text(text, value, reading->wrong);
}

static const char *parse_groups(struct value_reading *reading, const char *text, void *value)
{
    return groups_from_text(text, value, reading->wrong);
}

static void print_ids(const struct value_type *type, const void *value, FILE *out)
{
    const struct access_list *list = value;
    (void)type;
    for (uint32_t i = 0; i < list->count; i++) {
        (void)fprintf(out, "%s%" PRIu32, i ? " " : "", list->ids[i]);
    }
}

static bool ids_are_set(const struct value_type *type, const void *value)
{
    (void)type;
    return ((const struct access_list *)value)->count > 0;
}

static bool ids_differ(const struct value_type *type, const void *a, const void *b)
{
    (void)type;
    const struct access_list *left = a, *right = b;
    return left->count != right->count || memcmp(left->ids, right->ids, left->count * sizeof *left->ids) != 0;
}

const struct value_type value_type_USERS = {.name = "users",
                                            .bytes = sizeof(value_USERS),
                                            .parse = parse_users,
                                            .print = print_ids,
                                            .is_set = ids_are_set,
                                            .differs = ids_differ};

const struct value_type value_type_GROUPS = {.name = "groups",
                                             .bytes = sizeof(value_GROUPS),
                                             .parse = parse_groups,
                                             .print = print_ids,
                                             .is_set = ids_are_set,
                                             .differs = ids_differ};

/* ---- members of a class: the four keys fill one list of the rule ---- */

static struct policy_rule *rule_of(void *members)
{
    return (struct policy_rule *)(void *)((char *)members - offsetof(struct policy_rule, members));
}

static const struct policy_rule *const_rule_of(const void *members)
{
    return (const struct policy_rule *)(const void *)((const char *)members - offsetof(struct policy_rule, members));
}

/* A sentence about a pattern, of which it shows as much as there is room for. */
static const char *complain(struct value_reading *reading, const char *word, const char *what)
{
    char quoted[QUOTED_SIZE];
    text_copy(quoted, sizeof quoted, word);
    text_end_whole(quoted);
    (void)snprintf(reading->wrong, sizeof reading->wrong, "\"%s\" %s", quoted, what);
    return reading->wrong;
}

/* Finds the user or group, or checks the pattern. Returns what is wrong, or NULL. */
static const char *check_member(struct value_reading *reading, struct policy_member *member)
{
    const char *fault = member->kind == MEMBER_SLICE ? control_pattern_fault(member->name) : NULL;
    bool known = true;
    if (member->kind == MEMBER_USER) {
        known = user_from_text(member->name, &member->id);
    } else if (member->kind == MEMBER_GROUP) {
        known = group_from_text(member->name, &member->id);
    }
    if (!known) {
        (void)snprintf(reading->wrong, sizeof reading->wrong, "there is no %s \"%s\"; create it, or give its number",
                       member->kind == MEMBER_USER ? "user" : "group", member->name);
        return reading->wrong;
    }
    if (fault) {
        char what[VALUE_WRONG_BYTES];
        (void)snprintf(what, sizeof what, "can't match: %s", fault);
        return complain(reading, member->name, what);
    }
    return NULL;
}

static const char *add_member(struct value_reading *reading, struct policy_rule *rule, enum member_kind kind,
                              const char *word, size_t length)
{
    struct policy_member member = {.kind = kind};
    size_t size = kind == MEMBER_SLICE ? sizeof member.name : MESSAGE_NAME_SIZE;
    if (length >= size) {
        return complain(reading, word, "is too long");
    }
    memcpy(member.name, word, length);
    if (!name_shows(member.name, length)) {
        return "a name is not UTF-8, or has control or invisible characters in it";
    }
    const char *wrong = check_member(reading, &member);
    if (wrong) {
        return wrong;
    }
    struct policy_member *members = reallocarray(rule->members, rule->member_count + 1, sizeof *members);
    if (!members) {
        return "out of memory";
    }
    rule->members = members;
    members[rule->member_count++] = member;
    return NULL;
}

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

/* A drop-in's list replaces the one before. */
static const char *parse_members(struct value_reading *reading, const char *text, void *value)
{
    static const char between[] = " \t,";
    enum member_kind kind = (enum member_kind)reading->type->detail;
    struct policy_rule *rule = rule_of(value);
    drop_members(rule, kind);
    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t length = strcspn(text, between);
        const char *wrong = add_member(reading, rule, kind, text, length);
        if (wrong) {
            return wrong;
        }
        text += length;
    }
    return NULL;
}

/* The names of one kind, as a text that the caller frees; NULL when memory is short. */
static char *join_members(const struct value_type *type, const void *value)
{
    const struct policy_rule *rule = const_rule_of(value);
    char *text = NULL;
    size_t size = 0;
    FILE *list = open_memstream(&text, &size);
    if (!list) {
        return NULL;
    }
    for (size_t i = 0; i < rule->member_count; i++) {
        if (rule->members[i].kind == (enum member_kind)type->detail) {
            (void)fprintf(list, "%s%s", ftell(list) > 0 ? " " : "", rule->members[i].name);
        }
    }
    if (fclose(list) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void print_members(const struct value_type *type, const void *value, FILE *out)
{
    cleanup(freep) char *text = join_members(type, value);
    if (text) {
        config_line_print_value(text, out);
    }
}

static bool has_members(const struct value_type *type, const void *value)
{
    const struct policy_rule *rule = const_rule_of(value);
    for (size_t i = 0; i < rule->member_count; i++) {
        if (rule->members[i].kind == (enum member_kind)type->detail) {
            return true;
        }
    }
    return false;
}

static bool members_differ(const struct value_type *type, const void *a, const void *b)
{
    cleanup(freep) char *left = join_members(type, a), *right = join_members(type, b);
    return !left || !right || strcmp(left, right) != 0;
}

#define MEMBERS(type, kind_name, kind)                                                                                 \
    .name = (kind_name), .bytes = sizeof(type), .detail = (kind), .names_word = true, .parse = parse_members,          \
    .print = print_members, .is_set = has_members, .differs = members_differ

const struct value_type value_type_MEMBER_USERS = {MEMBERS(value_MEMBER_USERS, "users", MEMBER_USER)};
const struct value_type value_type_MEMBER_GROUPS = {MEMBERS(value_MEMBER_GROUPS, "groups", MEMBER_GROUP)};
const struct value_type value_type_MEMBER_SLICES = {MEMBERS(value_MEMBER_SLICES, "slices", MEMBER_SLICE)};
const struct value_type value_type_MEMBER_CLIENTS = {MEMBERS(value_MEMBER_CLIENTS, "client names", MEMBER_CLIENT)};
