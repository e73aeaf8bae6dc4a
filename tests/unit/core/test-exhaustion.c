/* SPDX-License-Identifier: Apache-2.0 */
/* The core without memory of its own, where random sequences (test-sequences.c) can't starve it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/restore.h"
#include "proto/control_page.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/publishing.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

TestSuite(exhaustion);

Test(exhaustion, a_broker_is_created_completely_or_not_at_all)
{
    struct broker_options options = {.settings = {.policy = &model_policy}, .page_bytes = MODEL_PAGE};
    struct broker *broker = NULL;
    int refused = -1;
    for (long number = 1; !broker; number++, refused++) {
        exhaustion_arm(number);
        broker = broker_new(&options);
    }
    exhaustion_arm(0);
    cr_expect_geq(refused, 5, "only %d allocations", refused);
    cr_expect_null(broker_check(broker));
    cr_expect_null(broker_free(broker));
    cr_expect_null(broker_free(NULL));
}

Test(exhaustion, a_policy_is_applied_completely_or_not_at_all)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open_as(model, 0, "a1", 1000);
    const struct policy before = *model->broker->principals.policy;
    bool is_in_force = false;
    int refused = -1;
    model->options.settings.policy = &model_policy;
    struct input configure = {.kind = INPUT_CONFIGURE};
    for (long number = 1; !is_in_force; number++, refused++) {
        configure.settings = model->options.settings;
        exhaustion_arm(number);
        broker_step(model->broker, &configure, model->now, &model->effects);
        exhaustion_arm(0);
        is_in_force = model->broker->principals.policy->rule_count == model_policy.rule_count;
        cr_assert(is_in_force || model->broker->principals.policy->rule_count == before.rule_count);
        cr_assert(!broker_check(model->broker));
    }
    cr_expect_geq(refused, 4, "only %d allocations", refused);
    model_free(model);
}

Test(exhaustion, a_session_is_opened_or_refused)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    int refused = -1;
    for (long number = 1; !model->peers[0].session; number++, refused++) {
        exhaustion_arm(number);
        model_open(model, 0, LIMIT_DEFAULT);
        exhaustion_arm(0);
        cr_assert_eq(model_status(model).sessions, model->peers[0].session ? 1 : 0);
        cr_assert(!broker_check(model->broker));
    }
    cr_expect_geq(refused, 4, "only %d allocations", refused);
    model_free(model);
}

Test(exhaustion, a_lease_is_published_or_stays_as_it_was)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = publishable(model, 0);
    const struct reply *reply = NULL;
    int refused = -1;
    for (long number = 1; !reply || reply->kind != REPLY_DONE; number++, refused++) {
        exhaustion_arm(number);
        reply = publish_lease(model, 0, lease, "n", LIFETIME_SESSION, 0);
        exhaustion_arm(0);
        cr_assert(reply && number < 100);
        cr_assert(!broker_check(model->broker));
    }
    cr_expect_geq(refused, 1, "only %d allocations", refused);
    model_free(model);
}

Test(exhaustion, learning_and_pooling_that_fail_are_tried_again)
{
    struct learned_table table;
    const struct learned_key key = {.uid = 1, .workspace = "w"};
    learned_table_init(&table);
    for (long which = 1; which <= 2; which++) {
        exhaustion_arm(which);
        learned_note(&table, &key, MIB);
        cr_expect(exhaustion_has_struck());
        exhaustion_arm(0);
        cr_expect_eq(learned_recall(&table, &key), 0);
    }
    learned_note(&table, &key, MIB);
    cr_expect_eq(learned_recall(&table, &key), MIB);
    learned_table_deinit(&table);
    struct model *model = model_new(0, 8 * MIB, 0);
    model->broker->options.settings.pool =
        (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    pool_configure(model->broker);
    struct input tick = {.kind = INPUT_TICK};
    exhaustion_arm(1);
    model_feed(model, &tick);
    cr_expect(exhaustion_has_struck());
    exhaustion_arm(0);
    cr_expect_eq(model_status(model).pooled_bytes, 0);
    model_pass(model, 5000);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    model_free(model);
}

/* With so many segments ready. */
static void fail_to_lend(uint32_t ready)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    model_configure(model);
    model->broker->pool.sizes[0].wanted = ready;
    struct input tick = {.kind = INPUT_TICK};
    model_feed(model, &tick);
    cr_assert_eq(model_status(model).pooled_bytes, ready * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    exhaustion_arm(1);
    const struct reply *reply = model_acquire(model, 0, MIB, LOCATION_RAM, 0);
    cr_expect(exhaustion_has_struck());
    exhaustion_arm(0);
    cr_assert(reply && reply->kind == REPLY_ERROR);
    cr_expect_eq(model_status(model).pooled_bytes, ready * MIB);
    cr_expect_null(broker_check(model->broker));
    model_free(model);
}

Test(exhaustion, a_ready_segment_that_can_not_be_lent_is_put_back)
{
    fail_to_lend(1);
    fail_to_lend(2);
}

static struct kept_session kept_session(uint64_t id)
{
    return (struct kept_session){
        .id = id, .identity = model_root, .limits = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF}, .name = "kept"};
}

static struct kept_segment kept_segment(uint64_t id, uint64_t lease)
{
    return (struct kept_segment){.id = id,
                                 .lease = lease,
                                 .session = 5,
                                 .bytes = MIB,
                                 .location = LOCATION_RAM,
                                 .options = {.numa_node = -1},
                                 .slot = 3,
                                 .generation = 7,
                                 .ttl_ms = 1000};
}

/* With the first, the second, ... allocation failing: -ENOMEM until it is done. Returns how many failed. */
#define REFUSALS_OF(call)                                                                                              \
    ({                                                                                                                 \
        int refused = -1, result = -ENOMEM;                                                                            \
        for (long number = 1; result == -ENOMEM; number++, refused++) {                                                \
            exhaustion_arm(number);                                                                                    \
            result = (call);                                                                                           \
            exhaustion_arm(0);                                                                                         \
            broker_restore_done(model->broker, model->now); /* the list of free slots is made by that */               \
            cr_assert(!broker_check(model->broker));                                                                   \
        }                                                                                                              \
        cr_assert_eq(result, 0);                                                                                       \
        refused;                                                                                                       \
    })

Test(exhaustion, saved_records_are_restored_or_left)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    struct kept_session session = kept_session(5);
    struct kept_segment segment = kept_segment(9, 4), second = kept_segment(10, 4), named = kept_segment(11, 12);
    int handle;
    named.slot = 6;
    named.location = LOCATION_MMAP;
    (void)stpncpy(named.file, "named", sizeof named.file - 1);
    cr_expect_geq(REFUSALS_OF(broker_restore_session(model->broker, &session, (void *)1, model->now)), 2);
    cr_expect_geq(REFUSALS_OF(broker_restore_segment(model->broker, &segment, &handle, model->now)), 3);
    cr_expect_geq(REFUSALS_OF(broker_restore_segment(model->broker, &second, &handle, model->now)), 1);
    cr_expect_geq(REFUSALS_OF(broker_restore_segment(model->broker, &named, &handle, model->now)), 3);
    cr_expect_geq(REFUSALS_OF(broker_restore_slot(model->broker, 5, 4000, 8)), 1);
    cr_expect_eq(broker_restore_slot(model->broker, 6, 1, 8), -ENOENT);
    cr_expect(broker_has_slot(model->broker, 5, 3) && !broker_has_slot(model->broker, 5, 4));
    cr_expect(!broker_has_slot(model->broker, 6, 3) && !broker_has_slot(model->broker, 5, UINT32_MAX));
    (void)broker_free(model->broker);
    free(model);
}

Test(exhaustion, contradictory_records_are_not_restored)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    struct kept_session session = kept_session(5), nobody = kept_session(0);
    struct kept_segment good = kept_segment(9, 4), bad;
    int handle;
    cr_assert_eq(broker_restore_session(model->broker, &session, (void *)1, model->now), 0);
    cr_expect_eq(broker_restore_session(model->broker, &session, (void *)1, model->now), -EEXIST);
    cr_expect_eq(broker_restore_session(model->broker, &nobody, (void *)1, model->now), -EINVAL);
    cr_assert_eq(broker_restore_segment(model->broker, &good, &handle, model->now), 0);
    cr_expect_eq(broker_restore_segment(model->broker, &good, &handle, model->now), -EEXIST);
#define EXPECT_REFUSED(field, value, error)                                                                            \
    do {                                                                                                               \
        bad = kept_segment(11, 4);                                                                                     \
        bad.field = (value);                                                                                           \
        cr_expect_eq(broker_restore_segment(model->broker, &bad, &handle, model->now), (error), "%s", #field);         \
    } while (0)
    EXPECT_REFUSED(id, 0, -EINVAL);
    EXPECT_REFUSED(id, UINT64_MAX, -EINVAL); /* the next one would be 0 */
    EXPECT_REFUSED(lease, 0, -EINVAL);
    EXPECT_REFUSED(lease, UINT64_MAX, -EINVAL);
    EXPECT_REFUSED(bytes, 0, -EINVAL);
    EXPECT_REFUSED(bytes, 100, -EINVAL);
    EXPECT_REFUSED(bytes, UINT64_C(1) << 62, -EINVAL); /* sums would wrap */
    EXPECT_REFUSED(generation, 8, -EINVAL);
    EXPECT_REFUSED(generation, UINT64_MAX, -EINVAL);
    EXPECT_REFUSED(location, LOCATION_AUTO, -EINVAL);
    EXPECT_REFUSED(location, LOCATION_MMAP, -EINVAL);
    EXPECT_REFUSED(slot, 4, -EINVAL);
    EXPECT_REFUSED(session, 6, -ENOENT);
    EXPECT_REFUSED(lease, 12, -EINVAL); /* its slot is another lease's */
    struct kept_session other = kept_session(8);
    cr_assert_eq(broker_restore_session(model->broker, &other, (void *)2, model->now), 0);
    EXPECT_REFUSED(session, 8, -EINVAL); /* its lease is another session's */
    bad = kept_segment(20, 21);
    bad.slot = UINT32_MAX;
    cr_expect_eq(broker_restore_segment(model->broker, &bad, &handle, model->now), -EINVAL, "no table has that slot");
    bad.slot = CONTROL_SLOTS_MAX;
    cr_expect_eq(broker_restore_segment(model->broker, &bad, &handle, model->now), -EINVAL, "one slot too far");
    cr_expect_eq(broker_restore_slot(model->broker, 5, UINT32_MAX, 8), -EINVAL);
    for (uint64_t id = 30; id < 29 + LEASE_EXTENTS_MAX; id++) {
        bad = kept_segment(id, 4);
        cr_assert_eq(broker_restore_segment(model->broker, &bad, &handle, model->now), 0);
    }
    EXPECT_REFUSED(id, 200, -EINVAL); /* more segments than a lease can have */
    broker_restore_done(model->broker, model->now);
    cr_expect_null(broker_check(model->broker));
    (void)broker_free(model->broker);
    free(model);
}
