/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals by the limits of [sharing]: what the client is told, what `why` says of them, and what is counted. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/check_why.h"
#include "tests/unit/core/publishing.h"
#include "tests/unit/core/putting.h"
#include "tests/unit/core/watching.h"

TestSuite(sharing_limits);

static struct why_entry why[4];

static void begin(struct sharing_settings settings)
{
    model = model_for_putting(64 * MIB); /* peers 0 and 1 are user 1000 */
    settings.grace_ms = 1000;
    model->options.settings.sharing = settings;
    model_configure(model);
}

static size_t explain(const struct identity *viewer)
{
    return broker_explain(model->broker, viewer, 0, model->now, why, 4);
}

static void expect_refusal(const struct refusal *refusal, enum limit_kind kind, uint64_t asked, uint64_t used,
                           uint64_t most)
{
    cr_expect_eq(refusal->limit_kind, kind);
    cr_expect_str_eq(refusal->limit, limit_kind_name(kind));
    cr_expect_str_eq(refusal->whose, kind == LIMIT_KIND_WATCHES ? "client" : "user 1000");
    cr_expect(refusal->asked_bytes == asked && refusal->used_bytes == used && refusal->limit_bytes == most,
              "%llu asked, %llu of %llu used", (unsigned long long)refusal->asked_bytes,
              (unsigned long long)refusal->used_bytes, (unsigned long long)refusal->limit_bytes);
    cr_expect_eq(refusal->free_bytes, most - used);
    cr_expect(refusal->holder_count == 0 && refusal->ahead_count == 0);
}

/* The answer, the counters and `why` say the same. */
static void expect_everywhere(const struct reply *reply, enum limit_kind kind, uint64_t asked, uint64_t used,
                              const char *sentence)
{
    expect_refusal(&refused(reply, ERROR_TOO_MANY)->error.refusal, kind, asked, used, used);
    cr_expect_str_eq(reply->error.sentence, sentence);
    cr_expect_eq(broker_figures(model->broker)->refused[kind], 1);
    cr_expect_eq(model_status(model).counters.refused, 1);
    cr_assert_eq(explain(&model_root), 1);
    expect_refusal(&why[0].refusal, kind, asked, used, used);
    cr_expect_eq(why[0].location, kind == LIMIT_KIND_BOARD_BYTES ? LOCATION_RAM : LOCATION_UNSPECIFIED);
    cr_expect(!why[0].waits && !why[0].either && why[0].earliest_ms == UINT64_MAX);
    check_why(model);
}

/* ---- each limit ---- */

Test(sharing_limits, blocks)
{
    begin((struct sharing_settings){.blocks_max = 1, .views_max = 10});
    publish_block(model, 0, "a", LIFETIME_SESSION);
    expect_everywhere(publish_lease(model, 1, publishable(model, 1), "b", LIFETIME_SESSION, 0), LIMIT_KIND_BLOCKS, 1, 1,
                      "user 1000 has 1 blocks, and [sharing] max_blocks is 1; raise that, or unpublish some (one that "
                      "has ended counts until its last view is closed)");
    cr_expect_eq(why[0].session, model->peers[1].session, "who was refused");
    model_free(model);
}

Test(sharing_limits, a_block_that_is_being_freed_does_not_count)
{
    begin((struct sharing_settings){.blocks_max = 1, .views_max = 10});
    leave_block(model, 0, "a", LIFETIME_KEEP);
    uint64_t view = attach_block(model, 0, "a", 0)->attached.lease;
    cr_assert_eq(unpublish_block(model, 0, "a")->kind, REPLY_DONE);
    uint64_t next = publishable(model, 1);
    refused(publish_lease(model, 1, next, "b", LIFETIME_SESSION, 0), ERROR_TOO_MANY);
    model->hold_frees = true;
    model_release(model, 0, view);
    cr_expect_eq(publish_lease(model, 1, next, "b", LIFETIME_SESSION, 0)->kind, REPLY_DONE);
    model_finish(model);
    refused(publish_lease(model, 1, publishable(model, 1), "c", LIFETIME_SESSION, 0), ERROR_TOO_MANY);
    model_free(model);
}

Test(sharing_limits, a_name_that_is_taken_is_told_first)
{
    begin((struct sharing_settings){.blocks_max = 1, .views_max = 10});
    publish_block(model, 0, "a", LIFETIME_SESSION);
    refused(publish_lease(model, 1, publishable(model, 1), "a", LIFETIME_SESSION, 0), ERROR_NAME_TAKEN);
    model_free(model);
}

Test(sharing_limits, a_limit_of_0_is_advice_to_nobody)
{
    begin((struct sharing_settings){.blocks_max = 0});
    expect_everywhere(publish_lease(model, 1, publishable(model, 1), "a", LIFETIME_SESSION, 0), LIMIT_KIND_BLOCKS, 1, 0,
                      "[sharing] max_blocks is 0: nobody may have blocks; an administrator can raise that");
    model_free(model);
}

Test(sharing_limits, views)
{
    begin((struct sharing_settings){.blocks_max = 1, .views_max = 2});
    publish_block(model, 0, "a", LIFETIME_SESSION);
    cr_assert_eq(attach_block(model, 0, "a", 0)->kind, REPLY_ATTACHED);
    cr_assert_eq(attach_block(model, 1, "a", 0)->kind, REPLY_ATTACHED);
    expect_everywhere(attach_block(model, 1, "a", 0), LIMIT_KIND_VIEWS, 1, 2,
                      "user 1000 has 2 views, and [sharing] max_views is 2; raise that, or close some");
    model_free(model);
}

Test(sharing_limits, objects)
{
    begin((struct sharing_settings){.objects_max = 2, .board_bytes_max = MIB});
    put_for_session(model, 0, "a", 1, 1);
    put_for_session(model, 1, "b", 1, 1);
    expect_everywhere(put_object(model, 0, "c", 1, 1, LIFETIME_SESSION), LIMIT_KIND_OBJECTS, 1, 2,
                      "user 1000 has 2 objects, and [sharing] max_objects is 2; raise that, or remove some");
    cr_expect_eq(model_status(model).objects.refused, 1);
    put_for_session(model, 0, "a", 2, 2);
    model_free(model);
}

Test(sharing_limits, boards)
{
    begin((struct sharing_settings){.objects_max = 9, .board_bytes_max = BOARD_PART_BYTES_LEAST});
    put_for_session(model, 0, "a", MESSAGE_OBJECT_MAX, 1);
    expect_everywhere(
        put_object(model, 0, "b", MESSAGE_OBJECT_MAX, 1, LIFETIME_SESSION), LIMIT_KIND_BOARD_BYTES,
        2 * BOARD_PART_BYTES_LEAST, BOARD_PART_BYTES_LEAST,
        "[sharing] max_board_bytes of user 1000 is 64 KiB: the user's boards have 64 KiB, and the next part "
        "has 128 KiB; remove objects, or raise that");
    cr_expect_eq(model_status(model).objects.refused, 1);
    model_free(model);
}

Test(sharing_limits, watches_of_a_session)
{
    begin((struct sharing_settings){.watches_max = 1, .watches_per_user_max = 2});
    uint64_t revision = list(0, "")->revision;
    cr_expect_null(model_answer(model, ask_to_watch(0, "", revision, "", 1000)));
    expect_everywhere(model_answer(model, ask_to_watch(0, "", revision, "", 1000)), LIMIT_KIND_WATCHES, 1, 1,
                      "this session has 1 watches, and [sharing] max_watches is 1; raise that, end some, or watch a "
                      "shorter prefix");
    model_free(model);
}

Test(sharing_limits, watches_of_a_user)
{
    begin((struct sharing_settings){.watches_max = 2, .watches_per_user_max = 2});
    uint64_t revision = list(0, "")->revision;
    cr_expect_null(model_answer(model, ask_to_watch(0, "", revision, "", 1000)));
    cr_expect_null(model_answer(model, ask_to_watch(1, "", revision, "", 1000)));
    expect_everywhere(
        model_answer(model, ask_to_watch(1, "", revision, "", 1000)), LIMIT_KIND_USER_WATCHES, 1, 2,
        "user 1000 has 2 watches, and [sharing] max_watches_per_user is 2; raise that, end some, or watch "
        "a shorter prefix");
    model_free(model);
}

/* ---- max_leases ---- */

/* Views count as leases, and take no memory. */
Test(sharing_limits, a_view_that_is_a_lease_too_many)
{
    model = with_max_leases(16 * MIB, user_rule(1001), 1);
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1001);
    publish_block(model, 0, "n", LIFETIME_SESSION);
    uint64_t lease = granted(model_acquire(model, 1, MIB, LOCATION_RAM, 10000));
    const struct reply *reply = refused(attach_block(model, 1, "n", 0), ERROR_TOO_MANY);
    cr_expect_str_eq(reply->error.sentence,
                     "user 1001 has 1 leases and views, and its max_leases is 1; release some, or "
                     "raise that");
    cr_expect(reply->error.refusal.limit_kind == LIMIT_KIND_LEASES && reply->error.refusal.limit_bytes == 1);
    cr_expect_eq(broker_figures(model->broker)->refused[LIMIT_KIND_LEASES], 1);
    cr_assert_eq(explain(&model_root), 1);
    cr_expect(why[0].refusal.limit_kind == LIMIT_KIND_LEASES && why[0].refusal.used_bytes == 1);
    cr_expect_str_eq(why[0].refusal.whose, "user 1001");
    cr_expect_eq(why[0].earliest_ms, 10000, "the lease ends");
    check_why(model);
    model_release(model, 1, lease);
    cr_assert_eq(explain(&model_root), 1);
    cr_expect(why[0].refusal.limit_kind == LIMIT_KIND_LEASES && why[0].refusal.free_bytes == 1);
    cr_expect(why[0].earliest_ms == 0 && why[0].location == LOCATION_UNSPECIFIED);
    check_why(model);
    model_free(model);
}

/* ---- later ---- */

Test(sharing_limits, why_has_the_figures_of_now_and_those_of_then_if_the_session_is_over)
{
    const struct identity stranger = {.pid = 9, .uid = 4711};
    begin((struct sharing_settings){.objects_max = 1, .board_bytes_max = MIB});
    put_for_session(model, 0, "a", 1, 1);
    refused(put_object(model, 1, "b", 1, 1, LIFETIME_SESSION), ERROR_TOO_MANY);
    cr_expect_eq(explain(&stranger), 0);
    remove_object(model, 0, "a");
    cr_assert_eq(explain(&model_root), 1);
    expect_refusal(&why[0].refusal, LIMIT_KIND_OBJECTS, 1, 0, 1);
    cr_expect_eq(why[0].earliest_ms, 0, "there is room now");
    check_why(model);
    struct input died = {.kind = INPUT_DIED, .session = model->peers[1].session};
    model_feed(model, &died);
    cr_expect_eq(explain(&stranger), 0);
    cr_assert_eq(explain(&model_root), 1);
    cr_expect(why[0].is_over);
    expect_refusal(&why[0].refusal, LIMIT_KIND_OBJECTS, 1, 1, 1);
    model_free(model);
}

Test(sharing_limits, the_last_refusal_is_told_whatever_refused)
{
    begin((struct sharing_settings){.objects_max = 0});
    refused(put_object(model, 0, "a", 1, 1, LIFETIME_SESSION), ERROR_TOO_MANY);
    refused(model_acquire(model, 0, 65 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_assert_eq(explain(&model_root), 1);
    cr_expect_eq(why[0].refusal.limit_kind, LIMIT_KIND_PHYSICAL_BYTES);
    refused(put_object(model, 0, "a", 1, 1, LIFETIME_SESSION), ERROR_TOO_MANY);
    cr_assert_eq(explain(&model_root), 1);
    cr_expect_eq(why[0].refusal.limit_kind, LIMIT_KIND_OBJECTS);
    cr_expect_eq(model_status(model).counters.refused, 3);
    model_free(model);
}

/* ---- without an answer ---- */

Test(sharing_limits, what_wants_no_answer_is_remembered_as_well)
{
    begin((struct sharing_settings){.objects_max = 1, .board_bytes_max = 0});
    struct request request = putting_object("a", 1, 1);
    model_request_unanswered(model, 0, &request);
    cr_assert_eq(explain(&model_root), 1);
    expect_refusal(&why[0].refusal, LIMIT_KIND_BOARD_BYTES, BOARD_PART_BYTES_LEAST, 0, 0);
    model->options.settings.sharing.objects_max = 0;
    model_configure(model);
    model_request_unanswered(model, 0, &request);
    cr_assert_eq(explain(&model_root), 1);
    expect_refusal(&why[0].refusal, LIMIT_KIND_OBJECTS, 1, 0, 0);
    cr_expect_eq(model_status(model).counters.refused, 2);
    model_free(model);
    model = with_max_leases(16 * MIB, user_rule(1001), 0);
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1001);
    publish_block(model, 0, "n", LIFETIME_SESSION);
    request = attachment("n", 0);
    model_request_unanswered(model, 1, &request);
    cr_assert_eq(explain(&model_root), 1);
    cr_expect_eq(why[0].refusal.limit_kind, LIMIT_KIND_LEASES);
    model_free(model);
}
