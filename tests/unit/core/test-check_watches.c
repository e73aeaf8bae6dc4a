/* SPDX-License-Identifier: Apache-2.0 */
/* check_watches() notices each invariant of watches that is broken by hand. */
#include "daemon/core/check.h"
#include "proto/base/text.h"
#include "tests/unit/core/noticed.h"
#include "tests/unit/core/sharing.h"

TestSuite(check_watches);

enum { OWNER, OTHER, TWIN, UID = 1000, WAIT_MS = 10000 };

static struct model *model;
static struct broker *broker;
static struct watch_table *table;

static void open_both(void)
{
    model = model_new(0, 0, 0);
    broker = model->broker;
    table = &broker->watches;
    model_open_as(model, OWNER, "a", UID);
    model_open_as(model, OTHER, "b", UID + 1);
    model_open_as(model, TWIN, "c", UID);
    model->options.settings.sharing.watches_max = 100;
    model->options.settings.sharing.watches_per_user_max = 1000;
    model_configure(model);
}

static struct session *session_of(int peer)
{
    return session_table_find(&broker->sessions, model->peers[peer].session);
}

/* What a session asks for of UID's names. */
static struct request watching(const char *prefix, uint64_t after)
{
    struct request request = {
        .kind = REQUEST_WATCH_BLOCKS,
        .watch_blocks = {.has_owner = true, .owner = UID, .after = after, .wait_ms = WAIT_MS},
    };
    text_copy(request.watch_blocks.prefix, MESSAGE_NAME_SIZE, prefix);
    return request;
}

/* A watch that waits in a group. */
static struct watch *wait_for(int peer, const char *prefix)
{
    struct request request = watching(prefix, table->changes.revision);
    (void)model_request(model, peer, &request);
    struct watch *watch = TAILQ_LAST(&session_of(peer)->watches, watch_list);
    cr_assert(watch && watch->group);
    return watch;
}

/* One that no step has looked at. */
static struct watch *begin_watch(int peer, const char *prefix, uint64_t after)
{
    struct step step = {.broker = broker, .now = model->now, .effects = &model->effects};
    struct request request = watching(prefix, after);
    request.id = ++model->next_request;
    watch_request(&step, session_of(peer), &request);
    return TAILQ_LAST(&table->fresh, watch_list);
}

static void expect_all_well(void)
{
    cr_assert(!broker_check(broker), "%s", broker_check(broker));
}

static void end(void)
{
    expect_all_well();
    model_pass(model, WAIT_MS);
    model_free(model);
}

static struct watch *alone;          /* in its group, which is not ready */
static struct watch *first, *second; /* in a group that is ready */
static struct watch *fresh;

static void begin(void)
{
    const struct block changed = {.owner = UID, .name = "n", .access = BLOCK_ACCESS_USER};
    open_both();
    alone = wait_for(OTHER, "alone");
    first = wait_for(OWNER, "n");
    second = wait_for(TWIN, "n");
    watch_table_note(table, &changed, END_NONE);
    fresh = begin_watch(OTHER, "alone", table->changes.revision);
    begin_watch(OTHER, "alone", table->changes.revision + 1000);
    cr_assert(first->group == second->group && first->group->is_ready && !alone->group->is_ready && !fresh->group);
    expect_all_well();
}

Test(check_watches, watches_of_a_session, .init = begin, .fini = end)
{
    struct session *session = session_of(OTHER);
    EXPECT_NOTICED_BY(check_watches, alone->session, first->session, "a watch is another session's");
    EXPECT_NOTICED_BY(check_watches, session->watch_count, 1, "a session miscounts its watches");
    EXPECT_NOTICED_BY(check_watches, session->state, SESSION_OVER, "a session that is over watches");
}

Test(check_watches, what_a_watch_waits_for, .init = begin, .fini = end)
{
    EXPECT_NOTICED_BY(check_watches, alone->owner, UID + 1, "in the group of another prefix");
    EXPECT_NOTICED_BY(check_watches, alone->prefix[0], 'b', "in the group of another prefix");
    EXPECT_NOTICED_BY(check_watches, alone->group->is_owners, true, "a watch of the owner is among others'");
    EXPECT_NOTICED_BY(check_watches, first->group->is_owners, false, "a watch of the owner is among others'");
    EXPECT_NOTICED_BY(check_watches, alone->is_list, true, "a watch waits for a list");
    EXPECT_NOTICED_BY(check_watches, alone->after, table->changes.revision + 1, "knows the future");
}

Test(check_watches, groups, .init = begin, .fini = end)
{
    struct watch_group *group = alone->group, *ready = first->group;
    EXPECT_OF(check_watches, TAILQ_REMOVE(&group->watches, alone, in_list),
              TAILQ_INSERT_TAIL(&group->watches, alone, in_list), "a group has no watches");
    EXPECT_NOTICED_BY(check_watches, alone->group, NULL, "listed in another group");
    EXPECT_NOTICED_BY(check_watches, second->after, first->after - 1, "the watches of a group are out of order");
    EXPECT_NOTICED_BY(check_watches, group->is_ready, true, "a group is ready for nothing");
    EXPECT_NOTICED_BY(check_watches, ready->first_match, ready->last_match + 1, "a group is ready for nothing");
}

Test(check_watches, lists, .init = begin, .fini = end)
{
    struct watch_group *ready = first->group;
    EXPECT_NOTICED_BY(check_watches, ready->is_ready, false, "a group is listed as ready, and is not");
    EXPECT_NOTICED_BY(check_watches, fresh->group, alone->group, "a watch that waits is listed as new");
    EXPECT_OF(check_watches, TAILQ_REMOVE(&table->ready, ready, in_ready),
              TAILQ_INSERT_TAIL(&table->ready, ready, in_ready), "a list of watches has others");
    EXPECT_OF(check_watches, TAILQ_REMOVE(&table->fresh, fresh, in_list),
              TAILQ_INSERT_TAIL(&table->fresh, fresh, in_list), "a list of watches has others");
    EXPECT_NOTICED_BY(check_watches, RB_ROOT(&table->by_until), NULL, "a list of watches has others");
}

/* ---- the order of the trees ---- */

enum { MANY = 16 };

static struct watch *watches[MANY]; /* each in its own group, in the order of both trees */

static void begin_many(void)
{
    open_both();
    for (int i = 0; i < MANY; i++) {
        const char prefix[] = {(char)('a' + i), '\0'};
        watches[i] = wait_for(OTHER, prefix);
    }
    expect_all_well();
}

/* So that it is still the group of its watch. */
static void rename_group(struct watch_group *group, uint32_t owner, char prefix)
{
    struct watch *watch = TAILQ_FIRST(&group->watches);
    watch->owner = group->owner = owner;
    watch->prefix[0] = group->prefix[0] = prefix;
}

static void expect_misplaced_if_named(struct watch_group *group, uint32_t owner, char prefix)
{
    char was = group->prefix[0];
    EXPECT_OF(check_watches, rename_group(group, owner, prefix), rename_group(group, UID, was),
              "the groups of watches are out of order");
}

Test(check_watches, the_order_of_groups_at_each_place_of_the_tree, .init = begin_many, .fini = end)
{
    for (int i = 1; i < MANY - 1; i++) {
        struct watch_group *group = watches[i]->group;
        expect_misplaced_if_named(group, UID + 2, group->prefix[0]);
        expect_misplaced_if_named(group, UID - 1, group->prefix[0]);
        expect_misplaced_if_named(group, UID, '~');
        expect_misplaced_if_named(group, UID, ' ');
        EXPECT_NOTICED_BY(check_watches, group->is_ready, true, "a group is ready for nothing");
    }
    rename_group(watches[0]->group, UID - 1, 'z');
    cr_expect_null(check_watches(broker), "the owner goes before the prefix");
    rename_group(watches[0]->group, UID, 'a');
    struct watch *owners = wait_for(OWNER, "A"), *others = wait_for(OTHER, "A");
    cr_expect_neq(owners->group, others->group);
    expect_all_well();
}

Test(check_watches, the_order_of_ends_at_each_place_of_the_tree, .init = begin_many, .fini = end)
{
    for (int i = 1; i < MANY - 1; i++) {
        EXPECT_NOTICED_BY(check_watches, watches[i]->until, UINT64_MAX, "the ends of watches are out of order");
        EXPECT_NOTICED_BY(check_watches, watches[i]->until, 0, "the ends of watches are out of order");
        EXPECT_NOTICED_BY(check_watches, watches[i]->number, UINT64_MAX, "the ends of watches are out of order");
        EXPECT_NOTICED_BY(check_watches, watches[i]->number, 0, "the ends of watches are out of order");
    }
    uint64_t number = watches[0]->number;
    watches[0]->until--;
    watches[0]->number = UINT64_MAX;
    cr_expect_null(check_watches(broker), "the end goes before the number");
    watches[0]->until++;
    watches[0]->number = number;
}
