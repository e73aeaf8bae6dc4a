/* SPDX-License-Identifier: Apache-2.0 */
/* More blocks than one step has room for, and what else ordinary use of blocks does not reach. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/restore.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/publishing.h"

TestSuite(many_blocks);

enum { OWNER, OTHER, MANY = 150 };

static struct model *model;

static void open_both(struct model *made)
{
    model = made;
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, OTHER, "b", 1001);
}

static void begin(uint64_t max_physical)
{
    open_both(model_new(0, max_physical, 0));
    model->options.settings.sharing = (struct sharing_settings){.blocks_max = 500, .views_max = 500, .grace_ms = 1000};
    model->options.settings.queue.waiting_per_user_max = model->options.settings.queue.waiting_per_session_max = 500;
    model_configure(model);
}

/* The step that was done had no room for all. */
static void expect_more_to_do(void)
{
    cr_expect_leq(broker_next_wakeup(model->broker), model->now);
}

static const char *name_of(int number)
{
    static char name[8];
    (void)snprintf(name, sizeof name, "n%d", number);
    return name;
}

static void end(void)
{
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    model_free(model);
}

Test(many_blocks, publishers_of_many_evicted_caches_are_told_in_several_steps)
{
    begin(MANY * MIB);
    for (int i = 0; i < MANY; i++) {
        publish_block(model, OWNER, name_of(i), LIFETIME_CACHE);
    }
    model->hold_frees = true;
    cr_expect_null(model_acquire_waiting(model, OTHER, 100 * MIB, 1000));
    expect_more_to_do();
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 0);
    granted(model_answer(model, model->next_request));
    cr_expect_geq(model_events(model, OWNER, EVENT_LEASE_ENDED), 100);
    end();
}

Test(many_blocks, no_more_candidates_are_tried_than_one_request_is_worth)
{
    enum { CACHES = 300, LOOKED_AT = 256 };
    begin(CACHES * MIB);
    for (int i = 0; i < CACHES; i++) {
        leave_block(model, OWNER, name_of(i), LIFETIME_CACHE);
    }
    refused(model_acquire(model, OTHER, (LOOKED_AT + 1) * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(model_status(model).used_bytes, CACHES * MIB, "none was evicted in vain");
    granted(model_acquire_waiting(model, OTHER, LOOKED_AT * MIB, 1000));
    cr_expect_eq(model_status(model).used_bytes, CACHES * MIB);
    end();
}

Test(many_blocks, many_that_are_kept_for_a_time_end_in_several_steps)
{
    begin(MANY * MIB);
    for (int i = 0; i < MANY; i++) {
        uint64_t lease = publishable(model, OWNER);
        cr_assert_eq(publish_lease(model, OWNER, lease, name_of(i), LIFETIME_KEEP, 5000)->kind, REPLY_DONE);
        model_release(model, OWNER, lease);
    }
    model_pass(model, 5000);
    cr_expect_eq(model_status(model).used_bytes, 0);
    end();
}

Test(many_blocks, the_brokers_end_ends_them_in_several_steps)
{
    begin(MANY * MIB);
    for (int i = 0; i < MANY; i++) {
        leave_block(model, OWNER, name_of(i), LIFETIME_KEEP);
    }
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    model->hold_frees = true;
    model_feed(model, &shutdown);
    expect_more_to_do();
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 1);
    cr_expect(broker_is_empty(model->broker));
    end();
}

Test(many_blocks, those_who_wait_for_one_are_served_in_several_steps)
{
    begin(16 * MIB);
    uint64_t first = model->next_request + 1;
    for (int i = 0; i < MANY; i++) {
        cr_assert_null(attach_block(model, OTHER, "n", 50000));
    }
    publish_block(model, OWNER, "n", LIFETIME_SESSION);
    expect_more_to_do();
    model_pass(model, 0);
    for (int i = 0; i < MANY; i++) {
        const struct reply *reply = model_answer(model, first + (uint64_t)i);
        cr_expect(reply && reply->kind == REPLY_ATTACHED, "%d", i);
    }
    end();
}

Test(many_blocks, a_view_counts_as_a_lease_of_its_user)
{
    open_both(with_max_leases(16 * MIB, user_rule(1001), 1));
    publish_block(model, OWNER, "n", LIFETIME_KEEP);
    struct request request = attachment("n", 0);
    request.attach_block.ttl_ms = 45000;
    const struct reply *reply = model_request(model, OTHER, &request);
    cr_assert_eq(reply->kind, REPLY_ATTACHED);
    cr_expect_eq(reply->attached.ttl_ms, 45000);
    refused(attach_block(model, OTHER, "n", 0), ERROR_TOO_MANY);
    end();
}

Test(many_blocks, a_view_is_attached_completely_or_not_at_all)
{
    begin(16 * MIB);
    publish_block(model, OWNER, "n", LIFETIME_KEEP);
    const struct reply *reply;
    int failed = -1;
    do {
        failed++;
        exhaustion_arm(failed + 1);
        reply = attach_block(model, OTHER, "n", 0);
        exhaustion_arm(0);
        cr_assert(reply->kind == REPLY_ATTACHED || refused(reply, ERROR_SYSTEM));
    } while (reply->kind == REPLY_ERROR);
    cr_expect_geq(failed, 1);
    end();
}

Test(many_blocks, who_wants_no_answer_gets_none)
{
    begin(16 * MIB);
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    cr_assert_eq(unpublish_block(model, OWNER, "n")->kind, REPLY_DONE);
    struct request request = attachment("n", 0);
    model_forget(model);
    model_request_unanswered(model, OTHER, &request);
    cr_expect_eq(model->reply_count, 0);
    end();
}

Test(many_blocks, nothing_is_kept_or_listed_of_one_that_is_sealed_and_has_ended)
{
    struct kept_segment kept;
    struct block_entry entry;
    bool more;
    begin(16 * MIB);
    uint64_t lease = publishable(model, OWNER), segment = model->segments[model->segment_count - 1].id;
    cr_expect(broker_keep_segment(model->broker, segment, &kept));
    model->hold_seals = true;
    cr_expect_null(publish_lease(model, OWNER, lease, "n", LIFETIME_KEEP, 0));
    model_release(model, OWNER, lease);
    cr_expect_not(broker_keep_segment(model->broker, segment, &kept));
    cr_expect_eq(broker_list_blocks(model->broker, &model_root, UINT64_MAX, model->now, &entry, 1, &more), 0);
    model_finish(model);
    end();
}

static void limit(uint32_t blocks, uint32_t views)
{
    model->options.settings.sharing = (struct sharing_settings){.blocks_max = blocks, .views_max = views};
    model_configure(model);
}

Test(many_blocks, users_beyond_lowered_limits_are_counted)
{
    char sentence[MESSAGE_SENTENCE_SIZE] = "";
    begin(64 * MIB);
    leave_block(model, OWNER, "a", LIFETIME_KEEP);
    leave_block(model, OWNER, "b", LIFETIME_KEEP);
    leave_block(model, OTHER, "c", LIFETIME_KEEP);
    cr_assert_eq(attach_block(model, OWNER, "a", 0)->kind, REPLY_ATTACHED);
    limit(2, 1);
    cr_expect_eq(broker_count_beyond_sharing(model->broker, sentence), 0);
    cr_expect_str_eq(sentence, "");
    limit(1, 1);
    cr_expect_eq(broker_count_beyond_sharing(model->broker, sentence), 1);
    cr_expect_str_eq(sentence, "user 1000 has 2 blocks and 1 views of blocks, and [sharing] max_blocks is 1 and "
                               "max_views 1");
    limit(2, 0);
    cr_expect_eq(broker_count_beyond_sharing(model->broker, sentence), 1);
    limit(0, 1);
    cr_expect_eq(broker_count_beyond_sharing(model->broker, sentence), 2);
    end();
}
