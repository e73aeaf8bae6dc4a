/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: what they have, what waits below them, the most that they had, and who sees them. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/visibility.h"
#include "tests/unit/core/reserving.h"

TestSuite(usage);

enum { MOST = 16 };
static struct usage_entry rows[MOST];
static size_t row_count;

static void look(struct model *model, const struct identity *viewer)
{
    bool more = true;
    row_count = broker_list_usage(model->broker, viewer, 0, model->now, rows, MOST, &more);
    cr_expect_not(more);
}

/* All of it is 0 if there is none. */
static struct usage_entry row(enum usage_kind kind, const char *name)
{
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].kind == kind && strcmp(rows[i].name, name) == 0) {
            return rows[i];
        }
    }
    return (struct usage_entry){0};
}

/* A group, and a class with a limit, of 64 MiB. */
static struct model *grouped(void)
{
    static struct policy_rule rules[2];
    static struct policy_member member = {.kind = MEMBER_CLIENT, .name = "c*"};
    static struct policy policy = {.rules = rules, .rule_count = 2};
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    rules[0] = one_rule(PRINCIPAL_GROUP, "people");
    rules[0].id = 50;
    rules[1] = one_rule(PRINCIPAL_CLASS, "training");
    rules[1].quota.limits.max_bytes = 32 * MIB;
    rules[1].quota.reserve_bytes = MIB;
    rules[1].quota.weight = 7;
    rules[1].members = &member;
    rules[1].member_count = 1;
    model->options.settings.policy = &policy;
    model_configure(model);
    return model;
}

static void open_in_group(struct model *model, int peer, const char *name, uint32_t uid)
{
    model_open_as(model, peer, name, uid);
    struct session *session = session_table_find(&model->broker->sessions, model->peers[peer].session);
    session->identity.gid = 50;
    model_configure(model);
}

Test(usage, what_is_held_and_was_held_at_most)
{
    static const enum usage_kind kinds[] = {USAGE_USER, USAGE_GROUP, USAGE_CLASS};
    static const char *const names[] = {"1000", "people", "training"};
    struct model *model = grouped();
    open_in_group(model, 0, "c1", 1000);
    uint64_t first = granted(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 30000));
    granted(model_acquire(model, 0, 5 * MIB, LOCATION_MMAP, 30000));
    model_release(model, 0, first);
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 30000));
    look(model, &model_root);
    cr_assert_eq(row_count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct usage_entry entry = row(kinds[i], names[i]);
        cr_expect(entry.bytes == 7 * MIB && entry.physical_bytes == 2 * MIB && entry.mapped_bytes == 5 * MIB);
        cr_expect(entry.peak_bytes == 15 * MIB && entry.peak_physical_bytes == 10 * MIB);
        cr_expect_eq(entry.peak_mapped_bytes, 5 * MIB);
        cr_expect(entry.sessions == 1 && entry.leases == 2 && entry.waiting == 0 && entry.freeing_bytes == 0);
    }
    cr_expect(row(USAGE_USER, "1000").has_id && row(USAGE_USER, "1000").id == 1000);
    cr_expect(row(USAGE_GROUP, "people").has_id && row(USAGE_GROUP, "people").id == 50);
    struct usage_entry class = row(USAGE_CLASS, "training");
    cr_expect(!class.has_id && class.limits.max_bytes == 32 * MIB && class.limits.max_physical_bytes == LIMIT_OFF);
    cr_expect(class.reserve_bytes == MIB && class.weight == 7 && row(USAGE_USER, "1000").weight == 1);
    model_free(model);
}

Test(usage, a_session_brings_what_it_has_to_its_new_class)
{
    struct model *model = grouped();
    struct policy policy = {0};
    model_open_as(model, 0, "c1", 1000);
    granted(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 30000));
    model->options.settings.policy = &policy;
    model_configure(model);
    look(model, &model_root);
    cr_expect_eq(row(USAGE_CLASS, "default").peak_bytes, 10 * MIB);
    cr_expect_eq(row(USAGE_CLASS, "training").number, 0, "nobody refers to it");
    model_free(model);
}

Test(usage, what_is_being_freed_is_told)
{
    struct model *model = grouped();
    model_open_as(model, 0, "c1", 1000);
    uint64_t lease = granted(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 30000));
    model->hold_frees = true;
    model_release(model, 0, lease);
    look(model, &model_root);
    cr_expect(row(USAGE_CLASS, "training").freeing_bytes == 10 * MIB && row(USAGE_CLASS, "training").bytes == 10 * MIB);
    model_finish(model);
    model_free(model);
}

Test(usage, what_waits_is_counted_in_all_accounts_above)
{
    struct model *model = grouped();
    struct policy policy = {0};
    open_in_group(model, 0, "c1", 1000);
    open_in_group(model, 1, "x1", 1001);
    granted(model_acquire(model, 0, 30 * MIB, LOCATION_RAM, 30000));
    cr_expect_null(model_acquire_waiting(model, 0, 20 * MIB, 20000));
    model_pass(model, 1000);
    cr_expect_null(model_acquire_waiting(model, 0, 21 * MIB, 20000));
    cr_expect_null(model_acquire_waiting(model, 1, 60 * MIB, 20000));
    model_pass(model, 500);
    look(model, &model_root);
    struct usage_entry class = row(USAGE_CLASS, "training"), group = row(USAGE_GROUP, "people");
    struct usage_entry user = row(USAGE_USER, "1000"), other = row(USAGE_CLASS, "default");
    cr_expect(class.waiting == 2 && class.waiting_bytes == 41 * MIB && class.waiting_oldest_ms == 1500);
    cr_expect(user.waiting == 2 && user.waiting_bytes == 41 * MIB && user.waiting_oldest_ms == 1500);
    cr_expect(group.waiting == 3 && group.waiting_bytes == 101 * MIB && group.waiting_oldest_ms == 1500);
    cr_expect(other.waiting == 1 && other.waiting_bytes == 60 * MIB && other.waiting_oldest_ms == 500);
    model->options.settings.policy = &policy;
    model_configure(model); /* it moves to the class default, with what waits */
    look(model, &model_root);
    class = row(USAGE_CLASS, "default");
    cr_expect(class.waiting == 3 && class.waiting_bytes == 101 * MIB && class.waiting_oldest_ms == 1500);
    model_free(model);
}

Test(usage, pages_go_on_behind_a_number)
{
    struct model *model = grouped();
    struct usage_entry entry;
    uint64_t after = 0;
    bool more = true;
    size_t count = 0;
    open_in_group(model, 0, "c1", 1000);
    open_in_group(model, 1, "x1", 1001);
    while (more) {
        cr_assert_eq(broker_list_usage(model->broker, &model_root, after, model->now, &entry, 1, &more), 1);
        cr_expect_gt(entry.number, after);
        after = entry.number;
        count++;
    }
    cr_expect_eq(count, 5);
    model_free(model);
}

Test(usage, an_ordinary_user_sees_his_own_and_totals)
{
    struct model *model = grouped();
    const struct identity member = {.uid = 1000, .gid = 50}, stranger = {.uid = 1001, .gid = 51};
    open_in_group(model, 0, "c1", 1000);
    open_in_group(model, 1, "x1", 1001);
    look(model, &member);
    cr_expect(row_count == 4 && row(USAGE_USER, "1000").number && row(USAGE_GROUP, "people").number);
    cr_expect(row(USAGE_CLASS, "training").number && row(USAGE_CLASS, "default").number);
    look(model, &stranger);
    cr_expect(row_count == 3 && row(USAGE_USER, "1001").number && row(USAGE_CLASS, "training").number);
    look(model, &model_root);
    cr_expect_eq(row_count, 5);
    model_free(model);
}

Test(usage, reservations_are_shown_as_they_are_listed)
{
    struct model *model = hundred();
    const struct identity owner = {.uid = 71}, other = {.uid = 72};
    struct request own = to_reserve("own", MIB, "/a\n");
    own.reserve.terms.has_uid = true;
    own.reserve.terms.uid = 71;
    cr_expect_eq(ask(model, own), 0);
    cr_expect_eq(reserve(model, "any", 2 * MIB, "/b\n"), 0);
    look(model, &model_root);
    cr_expect_eq(row(USAGE_RESERVATION, "own").limits.max_physical_bytes, MIB);
    cr_expect_eq(row(USAGE_RESERVATION, "any").reserve_bytes, 2 * MIB);
    look(model, &owner);
    cr_expect(row(USAGE_RESERVATION, "own").number && !row(USAGE_RESERVATION, "any").number);
    look(model, &other);
    cr_expect_eq(row_count, 0);
    cr_expect_not(visibility_shows_reservation(model->broker, &owner, NULL));
    model_free(model);
}
