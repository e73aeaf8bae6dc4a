/* SPDX-License-Identifier: Apache-2.0 */
/* The small tables by themselves: learned sizes, slots, and the rules of a policy. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/check.h"
#include "daemon/core/learned.h"
#include "daemon/core/policy.h"
#include "daemon/core/slots.h"

TestSuite(tables);

/* ---- learned sizes ---- */

static struct learned_key key_of(uint32_t uid, const char *class, const char *client, const char *workspace)
{
    struct learned_key key = {.uid = uid};
    (void)stpncpy(key.class, class, sizeof key.class - 1);
    (void)stpncpy(key.client, client, sizeof key.client - 1);
    (void)stpncpy(key.workspace, workspace, sizeof key.workspace - 1);
    return key;
}

Test(tables, a_learned_size_is_that_of_user_class_client_and_workspace)
{
    static const char *const names[] = {"a", "b", "c"};
    struct learned_table table;
    learned_table_init(&table);
    for (uint32_t i = 0; i < 81; i++) {
        struct learned_key key = key_of(i % 3, names[i / 3 % 3], names[i / 9 % 3], names[i / 27]);
        cr_expect_eq(learned_recall(&table, &key), 0);
        learned_note(&table, &key, 1000 + i);
        cr_expect_null(check_learned(&table), "%s", check_learned(&table));
    }
    for (uint32_t i = 0; i < 81; i++) {
        struct learned_key key = key_of(i % 3, names[i / 3 % 3], names[i / 9 % 3], names[i / 27]);
        cr_expect_eq(learned_recall(&table, &key), 1000 + i);
    }
    cr_expect_eq(table.changes, 81);
    struct learned_key again = key_of(0, "a", "a", "a");
    learned_note(&table, &again, 1000);
    cr_expect_eq(table.changes, 81, "it was that already");
    learned_note(&table, &again, 5);
    cr_expect_eq(table.changes, 82);
    cr_expect_eq(table.count, 81);
    learned_table_deinit(&table);
    cr_expect_eq(table.count, 0);
    cr_expect_null(check_learned(&table));
}

static void learn(struct learned_table *table, uint32_t uid, int number)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%d", number);
    struct learned_key key = key_of(uid, "", "", name);
    learned_note(table, &key, 1 + (uint64_t)number);
}

static bool knows(struct learned_table *table, uint32_t uid, int number)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%d", number);
    struct learned_key key = key_of(uid, "", "", name);
    return learned_recall(table, &key) == 1 + (uint64_t)number;
}

Test(tables, the_user_with_the_most_sizes_loses_its_oldest)
{
    struct learned_table table;
    learned_table_init(&table);
    for (int i = 0; i < LEARNED_MAX - 2; i++) {
        learn(&table, 7, i);
    }
    learn(&table, 5, 0);
    learn(&table, 9, 0);
    cr_expect_eq(table.count, LEARNED_MAX);
    cr_expect(knows(&table, 7, 0), "which is a use");
    learn(&table, 9, 1);
    cr_expect_eq(table.count, LEARNED_MAX);
    cr_expect_null(check_learned(&table));
    cr_expect(knows(&table, 7, 0) && knows(&table, 5, 0) && knows(&table, 9, 0) && knows(&table, 9, 1));
    cr_expect_not(knows(&table, 7, 1), "the one unused for longest");
    cr_expect(knows(&table, 7, 2));
    learned_table_deinit(&table);
}

Test(tables, among_users_with_equally_many_sizes_the_oldest_size_is_dropped)
{
    struct learned_table table;
    learned_table_init(&table);
    for (int i = 0; i < LEARNED_MAX / 2; i++) {
        learn(&table, 9, i);
        learn(&table, 5, i);
    }
    learn(&table, 7, 0);
    cr_expect_not(knows(&table, 9, 0), "it came first");
    cr_expect(knows(&table, 5, 0) && knows(&table, 7, 0) && knows(&table, 9, 1));
    learned_table_deinit(&table);
}

/* ---- slots ---- */

Test(tables, a_slot_is_reused_as_late_as_possible)
{
    struct slot_table table;
    uint32_t slot;
    uint64_t generation;
    slot_table_init(&table, 20);
    for (uint32_t i = 0; i < 8; i++) {
        cr_assert_eq(slot_take(&table, &slot, &generation), 0);
        cr_expect(slot == i && generation == 1);
    }
    cr_expect_eq(slot_give(&table, 3), 2);
    cr_expect_eq(slot_give(&table, 1), 2);
    cr_assert_eq(slot_take(&table, &slot, &generation), 0);
    cr_expect(slot == 3 && generation == 3, "the table is full: the slot that was given back first");
    cr_assert_eq(slot_take(&table, &slot, &generation), 0);
    cr_expect(slot == 1 && generation == 3);
    cr_expect_eq(table.last_free, UINT32_MAX);
    for (uint32_t i = 8; i < 20; i++) {
        cr_assert_eq(slot_take(&table, &slot, &generation), 0);
        cr_expect(slot == i && generation == 1);
    }
    cr_expect_eq(table.capacity, 20);
    cr_expect_eq(slot_take(&table, &slot, &generation), SLOT_E_FULL);
    cr_expect_eq(slot_give(&table, 19), 2);
    cr_expect_eq(slot_take(&table, &slot, &generation), 0);
    cr_expect(slot == 19 && generation == 3);
    slot_table_deinit(&table);
    cr_expect_null(table.slots);
}

Test(tables, restored_slots_continue_where_they_were)
{
    struct slot_table table;
    uint32_t slot;
    uint64_t generation;
    slot_table_init(&table, 16);
    cr_expect_eq(slot_restore(&table, 16, 2), -EINVAL);
    cr_expect_eq(slot_restore(&table, 15, 9), 0);
    cr_expect_eq(slot_restore(&table, 2, 6), 0);
    slot_table_relist(&table);
    for (uint32_t i = 0; i < 15; i++) {
        cr_assert_eq(slot_take(&table, &slot, &generation), 0);
        cr_expect_eq(slot, i);
        cr_expect_eq(generation, i == 2 ? 7 : 1);
    }
    cr_expect_eq(slot_take(&table, &slot, &generation), SLOT_E_FULL);
    slot_table_deinit(&table);
}

/* ---- rules ---- */

static struct policy_rule rules[] = {
    {.kind = PRINCIPAL_GROUP, .name = "g", .id = 5},
    {.kind = PRINCIPAL_USER, .name = "each", .is_each = true},
    {.kind = PRINCIPAL_USER, .name = "u", .id = 5},
    {.kind = PRINCIPAL_USER, .name = "v", .id = 6},
    {.kind = PRINCIPAL_GROUP, .name = "h", .id = 8},
    {.kind = PRINCIPAL_CLASS,
     .name = "c",
     .members = (struct policy_member[]){{.kind = MEMBER_USER, .id = 6}, {.kind = MEMBER_CLIENT, .name = "x*"}},
     .member_count = 2},
    {.kind = PRINCIPAL_CLASS,
     .name = "d",
     .members = (struct policy_member[]){{.kind = MEMBER_GROUP, .id = 8}},
     .member_count = 1},
    {.kind = PRINCIPAL_CLASS, .name = "default"},
};

static const struct policy policy = {
    .rules = rules, .rule_count = sizeof rules / sizeof *rules, .access = {.see_all = true}};

static const char *class_of(const struct policy *of, const struct identity *identity, const char *name)
{
    struct class_reason reason;
    const struct policy_rule *rule = policy_class(of, &(struct policy_client){identity, name, NULL}, &reason);
    return rule ? rule->name : NULL;
}

static void expect_rules(const struct policy *of)
{
    const struct identity five = {.uid = 5, .gid = 8}, six = {.uid = 6, .gid = 1}, seven = {.uid = 7, .gid = 5};
    cr_expect_str_eq(policy_user(of, 5)->name, "u");
    cr_expect_str_eq(policy_user(of, 6)->name, "v");
    cr_expect_str_eq(policy_user(of, 7)->name, "each");
    cr_expect_str_eq(policy_group(of, &five)->name, "h");
    cr_expect_str_eq(policy_group(of, &seven)->name, "g");
    cr_expect_null(policy_group(of, &six));
    cr_expect_str_eq(class_of(of, &five, "a"), "d");
    cr_expect_str_eq(class_of(of, &five, "xy"), "c", "the first class that has it");
    cr_expect_str_eq(class_of(of, &six, "a"), "c");
    cr_expect_str_eq(class_of(of, &seven, "a"), "default");
    cr_expect_str_eq(policy_find(of, PRINCIPAL_USER, "v")->name, "v");
    cr_expect_null(policy_find(of, PRINCIPAL_CLASS, "v"));
    cr_expect_null(policy_find(of, PRINCIPAL_USER, "c"));
    cr_expect(of->access.see_all);
}

Test(tables, rules_are_found_by_user_group_and_class)
{
    struct policy *copy = policy_copy(&policy), *empty = policy_copy(NULL);
    expect_rules(&policy);
    expect_rules(copy);
    cr_expect_eq(copy->rule_count, policy.rule_count);
    cr_expect_neq(copy->rules[5].members, rules[5].members);
    cr_expect_null(copy->rules[7].members);
    cr_expect_null(policy_user(empty, 5));
    cr_expect_null(class_of(empty, &(struct identity){.uid = 5}, "x"));
    cr_expect_null(policy_free(copy));
    cr_expect_null(policy_free(empty));
    cr_expect_null(policy_free(NULL));
    struct quota none = quota_none();
    cr_expect(none.limits.max_bytes == LIMIT_OFF && none.limits.max_physical_bytes == LIMIT_OFF);
    cr_expect(none.limits.max_mapped_bytes == LIMIT_OFF && none.max_leases == LIMIT_OFF &&
              none.max_sessions == LIMIT_OFF);
    cr_expect(none.weight == 1 && !none.reserve_bytes && !none.has_priority && !none.has_huge_pages);
}
