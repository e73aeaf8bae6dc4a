/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks end with the reservation that they are charged to, and do not stay in a class that exists no more. */
#include <stdio.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/publishing.h"
#include "tests/unit/core/reserving.h"

TestSuite(reserved_blocks);

enum { INSIDE, OUTSIDE, TWIN /* of the user inside, but outside */ };

static struct model *model;

static void open_all(uint64_t max_physical)
{
    model = model_new(0, max_physical, 0);
    model->options.settings.sharing = (struct sharing_settings){.blocks_max = 500, .views_max = 500, .grace_ms = 1000};
    model_configure(model);
    cr_assert_eq(reserve(model, "job", 200 * MIB, "/job\n"), 0);
    model_open_in(model, INSIDE, "in", "/job\n");
    model_open_as(model, OUTSIDE, "out", 1001);
    model_open_as(model, TWIN, "twin", 1000);
}

static void view(int peer, const char *name)
{
    cr_assert_eq(attach_block(model, peer, name, 0)->kind, REPLY_ATTACHED);
}

static void revoked(const char *name)
{
    cr_expect_eq(refused(attach_block(model, TWIN, name, 0), ERROR_BLOCK_ENDED)->error.ended, END_REVOKED);
}

static const char *class_of(const char *name)
{
    return block_table_named(&model->broker->blocks, 1000, name)->share->class->name;
}

Test(reserved_blocks, they_end_when_the_reservation_is_given_up)
{
    open_all(400 * MIB);
    leave_block(model, INSIDE, "kept", LIFETIME_KEEP);
    leave_block(model, INSIDE, "viewed", LIFETIME_KEEP);
    publish_block(model, INSIDE, "cache", LIFETIME_CACHE);
    publish_block(model, INSIDE, "session", LIFETIME_SESSION);
    publish_block(model, TWIN, "outside", LIFETIME_KEEP);
    view(OUTSIDE, "viewed");
    view(TWIN, "viewed");
    view(TWIN, "session");
    cr_expect_eq(unreserve(model, "job"), 0);
    revoked("kept");
    revoked("viewed");
    revoked("cache");
    revoked("session");
    cr_expect_eq(model_events(model, OUTSIDE, EVENT_LEASE_ENDED), 1);
    cr_expect_eq(model_events(model, TWIN, EVENT_LEASE_ENDED), 2, "its own user's views too");
    cr_expect_eq(model_status(model).used_bytes, MIB, "only the block outside is left");
    empty(model, "job");
    cr_expect_eq(reserve(model, "job", MIB, "/next\n"), 0);
    cr_expect_eq(entry_of(model, "job").used_bytes, 0);
    view(OUTSIDE, "outside");
    model_free(model);
}

Test(reserved_blocks, many_end_in_several_steps)
{
    open_all(400 * MIB);
    for (int i = 0; i < 150; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%d", i);
        leave_block(model, INSIDE, name, LIFETIME_KEEP);
    }
    model->hold_frees = true;
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_leq(broker_next_wakeup(model->broker), model->now);
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 0);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

Test(reserved_blocks, so_do_those_whose_publisher_has_just_died)
{
    open_all(400 * MIB);
    for (int i = 0; i < 150; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%d", i);
        publish_block(model, INSIDE, name, LIFETIME_KEEP);
    }
    model->hold_frees = true;
    struct input died = {.kind = INPUT_DIED, .session = model->peers[INSIDE].session};
    model_feed(model, &died);
    cr_expect_eq(unreserve(model, "job"), 0);
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 0);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

static void begin_with_classes(void)
{
    model = sharing(64 * MIB);
    model_open_as(model, INSIDE, "a1", 1000);
    model_open_as(model, OUTSIDE, "out", 1001);
}

static void take_classes_away(void)
{
    model->options.settings.policy = NULL;
    model_configure(model);
}

Test(reserved_blocks, they_follow_their_publisher_to_its_class)
{
    begin_with_classes();
    publish_block(model, INSIDE, "published", LIFETIME_KEEP);
    cr_expect_str_eq(class_of("published"), "a");
    view(OUTSIDE, "published");
    uint64_t lease = publishable(model, INSIDE);
    model->hold_seals = true;
    cr_expect_null(publish_lease(model, INSIDE, lease, "sealed", LIFETIME_KEEP, 0));
    take_classes_away();
    model_finish(model);
    cr_expect_str_eq(class_of("published"), POLICY_DEFAULT_CLASS);
    cr_expect_str_eq(class_of("sealed"), POLICY_DEFAULT_CLASS);
    model_free(model);
}

Test(reserved_blocks, without_a_publisher_they_leave_a_class_that_is_no_more)
{
    begin_with_classes();
    leave_block(model, INSIDE, "kept", LIFETIME_KEEP);
    model_configure(model);
    cr_expect_str_eq(class_of("kept"), "a", "the class exists");
    take_classes_away();
    cr_expect_str_eq(class_of("kept"), POLICY_DEFAULT_CLASS);
    model_configure(model);
    model_free(model);
}

Test(reserved_blocks, short_of_memory_they_stay_until_the_next_change)
{
    int failed = 0;
    bool has_moved = false;
    for (long number = 1; !has_moved; number++) {
        begin_with_classes();
        leave_block(model, INSIDE, "kept", LIFETIME_KEEP);
        model->options.settings.policy = NULL;
        exhaustion_arm(number);
        model_configure(model);
        has_moved = !exhaustion_has_struck();
        exhaustion_arm(0);
        failed += !has_moved;
        model_configure(model);
        cr_expect_str_eq(class_of("kept"), POLICY_DEFAULT_CLASS);
        model_free(model);
    }
    cr_expect_geq(failed, 2);
}
