/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and views over a restart. Random restarts: test-sequences.c. Damage: test-damaged_blocks.c. */
#include <errno.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/restore.h"
#include "proto/base/text.h"
#include "tests/unit/core/publishing.h"

TestSuite(restore_blocks);

enum { OWNER, OTHER };

static struct model *model;

static void open_both(struct model *made)
{
    model = made;
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, OTHER, "c", 1001);
}

static void begin(void)
{
    open_both(model_new(0, 64 * MIB, 0));
}

static void end(void)
{
    model_free(model);
}

static void resume(int peer)
{
    struct input resumed = {
        .kind = INPUT_RESUMED, .session = model->peers[peer].session, .peer = (void *)(uintptr_t)(peer + 1)};
    model_feed(model, &resumed);
}

/* The daemon is killed, and both sessions are resumed. */
static void restart(void)
{
    model_restart(model);
    resume(OWNER);
    resume(OTHER);
}

static struct attached_reply attached(int peer, const char *name)
{
    const struct reply *reply = attach_block(model, peer, name, 0);
    cr_assert(reply && reply->kind == REPLY_ATTACHED);
    return reply->attached;
}

static struct block *block_of(const char *name)
{
    return block_table_named(&model->broker->blocks, 1000, name);
}

static uint64_t used(void)
{
    return model_status(model).used_bytes;
}

static void live(uint64_t milliseconds)
{
    for (; milliseconds >= 10000; milliseconds -= 10000) {
        model_pass(model, 10000);
        model_renew(model, OWNER);
        model_renew(model, OTHER);
    }
    model_pass(model, milliseconds);
}

/* ---- what stays ---- */

Test(restore_blocks, names_numbers_metadata_and_views_stay)
{
    begin();
    static const uint8_t metadata[] = "a shape";
    uint64_t lease = publishable(model, OWNER);
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = lease,
                                               .access = BLOCK_ACCESS_ALL,
                                               .name = "n",
                                               .type = "float64",
                                               .metadata = {metadata, sizeof metadata}};
    cr_assert_eq(model_request(model, OWNER, &request)->kind, REPLY_DONE);
    struct attached_reply view = attached(OTHER, "n");
    restart();
    cr_expect_eq(used(), MIB);
    const struct block_figures *figures = &model->broker->blocks.figures;
    cr_expect(figures->blocks == 1 && figures->views == 1 && figures->bytes[LIFETIME_SESSION] == MIB);
    cr_expect_eq(model_events(model, OTHER, EVENT_LEASE_ENDED) + model_events(model, OWNER, EVENT_LEASE_ENDED), 0);
    struct attached_reply again = attached(OTHER, "n");
    cr_expect(again.block == view.block && again.lease > view.lease && again.slot != view.slot);
    cr_expect(again.metadata.count == sizeof metadata && memcmp(again.metadata.data, metadata, sizeof metadata) == 0);
    cr_expect_str_eq(again.type, "float64");
    cr_expect_eq(publish_lease(model, OWNER, lease, "n", LIFETIME_SESSION, 0)->kind, REPLY_DONE,
                 "who had no answer is answered as before");
    model_release(model, OTHER, again.lease);
    model_release(model, OTHER, view.lease);
    model_release(model, OWNER, lease);
    cr_expect_eq(used(), 0);
    publish_block(model, OWNER, "n", LIFETIME_SESSION);
    cr_expect_gt(attached(OTHER, "n").block, view.block, "no number is given out twice");
    end();
}

Test(restore_blocks, a_publisher_that_does_not_come_back_takes_the_blocks_of_its_session)
{
    begin();
    publish_block(model, OWNER, "session", LIFETIME_SESSION);
    publish_block(model, OWNER, "kept", LIFETIME_KEEP);
    publish_block(model, OWNER, "cached", LIFETIME_CACHE);
    model_restart(model);
    model_pass(model, 9999);
    cr_expect_eq(used(), 3 * MIB);
    model_pass(model, 1);
    cr_expect_eq(used(), 2 * MIB);
    cr_expect(!block_of("session") && block_of("kept") && block_of("cached"));
    end();
}

Test(restore_blocks, the_time_that_a_block_is_kept_goes_on)
{
    begin();
    uint64_t lease = publishable(model, OWNER);
    cr_assert_eq(publish_lease(model, OWNER, lease, "n", LIFETIME_KEEP, 20000)->kind, REPLY_DONE);
    model_release(model, OWNER, lease);
    live(12000);
    model_restart(model);
    live(7999);
    cr_expect(block_of("n") && block_of("n")->published_at + 19999000000 == model->now);
    live(1);
    cr_expect_eq(used(), 0);
    end();
}

Test(restore_blocks, the_cache_that_was_used_longest_ago_is_evicted_first)
{
    static const char *const by_use[] = {"second", "first"}; /* the one that was used last comes first */
    begin();
    leave_block(model, OWNER, "first", LIFETIME_CACHE);
    leave_block(model, OWNER, "second", LIFETIME_CACHE);
    struct broker *next = broker_new(&model->options);
    for (int i = 0; i < 2; i++) {
        struct kept_block kept;
        cr_assert(broker_keep_block(model->broker, block_of(by_use[i])->segment->id, model->now, &kept));
        cr_assert_eq(broker_restore_block(next, &kept, NULL, model->now), 0);
    }
    broker_restore_done(next, model->now);
    cr_expect_str_eq(TAILQ_FIRST(&next->host.idle[LOCATION_RAM])->name, "first");
    cr_expect_null(broker_check(next));
    broker_free(next);
    end();
}

Test(restore_blocks, one_that_has_lost_its_name_stays_for_its_views_and_others_have_the_grace_time)
{
    begin();
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    uint64_t own = attached(OWNER, "n").lease, others = attached(OTHER, "n").lease;
    unpublish_block(model, OWNER, "n");
    restart();
    refused(attach_block(model, OWNER, "n", 0), ERROR_BLOCK_ENDED);
    model_pass(model, model->options.settings.sharing.grace_ms - 1);
    cr_expect_eq(model_events(model, OTHER, EVENT_LEASE_ENDED), 0);
    model_pass(model, 1);
    cr_expect_eq(model_events(model, OTHER, EVENT_LEASE_ENDED), 1);
    cr_expect(model->ended.lease == others && model->ended.reason == END_UNPUBLISHED);
    cr_expect_eq(used(), MIB);
    model_release(model, OWNER, own);
    cr_expect_eq(used(), 0);
    end();
}

Test(restore_blocks, a_cache_that_has_lost_its_name_is_not_evicted_again)
{
    begin();
    leave_block(model, OWNER, "n", LIFETIME_CACHE);
    uint64_t view = attached(OWNER, "n").lease;
    unpublish_block(model, OWNER, "n");
    restart();
    model_release(model, OWNER, view);
    cr_expect_eq(used(), 0);
    end();
}

Test(restore_blocks, an_eviction_goes_on)
{
    struct kept_block kept;
    begin();
    uint64_t lease = publish_block(model, OWNER, "n", LIFETIME_CACHE);
    cr_assert(broker_keep_block(model->broker, block_of("n")->segment->id, model->now, &kept));
    kept.ended = END_EVICTED; /* and the daemon was killed before it had ended its publisher's lease */
    struct kept_session session;
    cr_assert(broker_keep_session(model->broker, model->peers[OWNER].session, &session));
    struct broker *next = broker_new(&model->options);
    cr_assert_eq(broker_restore_session(next, &session, (void *)1, model->now), 0);
    cr_assert_eq(broker_restore_block(next, &kept, NULL, model->now), 0);
    broker_restore_done(next, model->now);
    cr_assert_null(broker_check(next));
    cr_expect_eq(broker_next_wakeup(next), 0);
    struct input tick = {.kind = INPUT_TICK};
    broker_step(next, &tick, model->now, &model->effects);
    cr_expect(!lease_table_find(&next->leases, lease) && !broker_check(next));
    broker_free(next);
    end();
}

/* ---- what the daemon before had no time to do ---- */

Test(restore_blocks, a_name_that_was_being_replaced_leads_to_the_newer_block)
{
    struct kept_block kept[2];
    begin();
    leave_block(model, OWNER, "older", LIFETIME_KEEP);
    leave_block(model, OWNER, "newer", LIFETIME_KEEP);
    struct broker *next = broker_new(&model->options);
    for (int i = 0; i < 2; i++) {
        uint64_t segment = block_of(i ? "older" : "newer")->segment->id;
        cr_assert(broker_keep_block(model->broker, segment, model->now, &kept[i]));
        text_copy(kept[i].name, sizeof kept[i].name, "n");
        cr_assert_eq(broker_restore_block(next, &kept[i], NULL, model->now), 0);
    }
    broker_restore_done(next, model->now);
    cr_expect_eq(block_table_named(&next->blocks, 1000, "n")->id, kept[0].id);
    cr_expect_eq(block_table_recall(&next->blocks, 1000, "n")->reason, END_REPLACED);
    cr_expect_null(broker_check(next));
    broker_free(next);
    end();
}

/* Two that nobody has: the daemon was killed while they were freed. */
static void restart_with_freed(void)
{
    for (int i = 0; i < 2; i++) {
        leave_block(model, OWNER, "n", LIFETIME_KEEP);
        model->hold_frees = true;
        unpublish_block(model, OWNER, "n");
    }
    model_restart(model);
    model->hold_frees = false;
}

Test(restore_blocks, one_that_nobody_has_is_freed_in_the_next_step)
{
    begin();
    restart_with_freed();
    cr_expect_eq(used(), 2 * MIB);
    cr_expect_leq(broker_next_wakeup(model->broker), model->now);
    model_pass(model, 0);
    cr_expect_eq(used(), 0);
    cr_expect_eq(model->broker->figures.freeing.sum_ns, 0, "that is the time that the kernel took");
    end();
}

/* A block that has ended and that nobody has, a view of which was not kept. */
static struct broker *restored_with_untold(void)
{
    struct kept_block kept;
    begin();
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    cr_assert(broker_keep_block(model->broker, block_of("n")->segment->id, model->now, &kept));
    kept.ended = END_UNPUBLISHED;
    kept.has_untold = true;
    struct broker *next = broker_new(&model->options);
    cr_assert_eq(broker_restore_block(next, &kept, NULL, model->now), 0);
    broker_restore_done(next, model->now);
    cr_assert_null(broker_check(next));
    cr_assert_eq(broker_next_wakeup(next), model->now + 10 * NANOSECONDS_PER_SECOND);
    return next;
}

static bool frees(struct broker *broker, enum input_kind kind, uint64_t now)
{
    struct input input = {.kind = kind};
    broker_step(broker, &input, now, &model->effects);
    bool found = false;
    for (size_t i = 0; i < model->effects.count; i++) {
        found = found || model->effects.effects[i].kind == EFFECT_FREE_SEGMENT;
    }
    return found;
}

Test(restore_blocks, if_a_view_of_one_was_not_kept_its_bytes_stay_until_its_reader_could_be_told)
{
    struct broker *next = restored_with_untold();
    uint64_t due = broker_next_wakeup(next);
    cr_expect_not(frees(next, INPUT_TICK, due - 1));
    cr_expect(frees(next, INPUT_TICK, due));
    broker_free(next);
    end();
}

Test(restore_blocks, the_brokers_end_does_not_wait_for_those_that_nobody_has)
{
    struct broker *next = restored_with_untold();
    cr_expect(frees(next, INPUT_SHUTDOWN, model->now));
    broker_free(next);
    end();
}

Test(restore_blocks, many_that_nobody_has_are_freed_in_several_steps)
{
    enum { MANY = 400 };
    struct kept_block kept;
    struct broker *next = restored_with_untold();
    cr_assert(broker_keep_block(model->broker, block_of("n")->segment->id, model->now, &kept));
    kept.ended = END_UNPUBLISHED;
    for (int i = 0; i < MANY; i++) {
        kept.id++;
        kept.segment.id++;
        cr_assert_eq(broker_restore_block(next, &kept, NULL, model->now), 0);
    }
    broker_restore_done(next, model->now);
    cr_expect(frees(next, INPUT_SHUTDOWN, model->now) && broker_next_wakeup(next) == 0);
    cr_expect(frees(next, INPUT_TICK, model->now) && broker_next_wakeup(next) > 0);
    cr_expect_not(frees(next, INPUT_TICK, model->now));
    cr_expect_null(broker_check(next));
    broker_free(next);
    end();
}

Test(restore_blocks, a_sessions_block_without_its_session_has_ended)
{
    struct kept_block kept;
    begin();
    publish_block(model, OWNER, "n", LIFETIME_SESSION);
    cr_assert(broker_keep_block(model->broker, block_of("n")->segment->id, model->now, &kept));
    struct broker *next = broker_new(&model->options);
    cr_expect_eq(broker_restore_block(next, &kept, NULL, model->now), -ENOENT);
    kept.has_publisher = false;
    cr_expect_eq(broker_restore_block(next, &kept, NULL, model->now), 0);
    broker_restore_done(next, model->now);
    cr_expect(!block_table_named(&next->blocks, 1000, "n") && !broker_check(next));
    broker_free(next);
    end();
}

/* ---- whom it is charged to ---- */

static const struct principal *class_of(const char *name)
{
    return block_of(name)->share->class;
}

Test(restore_blocks, a_block_stays_in_its_class_and_group)
{
    struct policy_rule rule = one_rule(PRINCIPAL_GROUP, "staff");
    const struct policy policy = {.rules = &rule, .rule_count = 1};
    rule.id = 50;
    open_both(with_rule(64 * MIB, &rule));
    model->options.settings.policy = &policy;
    struct input input = {.kind = INPUT_OPEN_SESSION, .peer = (void *)(uintptr_t)3};
    input.open.identity = (struct identity){.pid = 7, .uid = 1000, .gid = 50};
    input.open.hello.max_bytes = input.open.hello.max_physical_bytes = LIMIT_DEFAULT;
    model_feed(model, &input);
    leave_block(model, 2, "of-group", LIFETIME_KEEP);
    leave_block(model, OWNER, "of-nobody", LIFETIME_KEEP);
    restart();
    cr_expect_str_eq(block_of("of-group")->share->group->name, "staff");
    cr_expect_null(block_of("of-nobody")->share->group);
    model_free(model);
    open_both(sharing(64 * MIB));
    model->options.settings.policy = &model_policy;
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    restart();
    cr_expect_str_eq(class_of("n")->name, "a");
    model->options.settings.policy = NULL;
    restart();
    cr_expect_str_eq(class_of("n")->name, POLICY_DEFAULT_CLASS, "there is no such class any more");
    end();
}

Test(restore_blocks, blocks_and_views_beyond_lowered_limits_stay)
{
    begin();
    leave_block(model, OWNER, "a", LIFETIME_KEEP);
    leave_block(model, OWNER, "b", LIFETIME_KEEP);
    attached(OWNER, "a");
    model->options.settings.limits.max_physical_bytes = MIB;
    model->options.settings.sharing.blocks_max = 1;
    model->options.settings.sharing.views_max = 0;
    restart();
    cr_expect_eq(used(), 2 * MIB);
    const struct reply *reply = attach_block(model, OWNER, "b", 0);
    refused(reply, ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "[sharing] max_views is 0: nobody may have views"), "%s",
              reply->error.sentence);
    refused(model_acquire(model, OWNER, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    end();
}

/* A daemon that is killed between the two keeps the older one under its name. */
Test(restore_blocks, the_newer_block_is_kept_before_the_older_one_loses_its_name)
{
    begin();
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = publishable(model, OWNER), .name = "n", .replace = true};
    cr_assert_eq(model_request(model, OWNER, &request)->kind, REPLY_DONE);
    cr_expect(model->block.change == BLOCK_CHANGE_ENDED && model->block.reason == END_REPLACED, "that came last");
    end();
}

/* ---- the next daemon can't go on with it ---- */

Test(restore_blocks, a_block_is_shown_as_one_from_its_publication_to_its_end)
{
    struct segment_view view;
    begin();
    uint64_t lease = publishable(model, OWNER);
    model->hold_seals = model->hold_frees = true;
    cr_assert_null(publish_lease(model, OWNER, lease, "n", LIFETIME_SESSION, 0));
    cr_expect(broker_next_segment(model->broker, 0, &view) && !view.is_block && view.lease == lease);
    model->hold_seals = false;
    model_feed(model, &(struct input){.kind = INPUT_TICK});
    cr_expect(broker_next_segment(model->broker, 0, &view) && view.is_block && !view.lease);
    model_release(model, OWNER, lease);
    cr_expect(broker_next_segment(model->broker, 0, &view) && !view.is_block && view.state == SEGMENT_FREEING);
    model_finish(model);
    end();
}

Test(restore_blocks, what_is_published_is_no_segment_of_a_lease_any_more)
{
    struct kept_segment kept;
    begin();
    model->hold_seals = true;
    uint64_t lease = publishable(model, OWNER);
    struct segment_view view;
    cr_assert_null(publish_lease(model, OWNER, lease, "n", LIFETIME_SESSION, 0));
    cr_assert(broker_next_segment(model->broker, 0, &view));
    cr_expect(broker_keep_segment(model->broker, view.id, &kept) && kept.lease == lease);
    model->hold_seals = false;
    model_feed(model, &(struct input){.kind = INPUT_TICK});
    cr_expect(block_of("n")->segment->id == view.id && !broker_keep_segment(model->broker, view.id, &kept));
    end();
}

static void end_unkept(const char *name)
{
    model_feed(model, &(struct input){.kind = INPUT_BLOCK_UNKEPT, .segment.segment = block_of(name)->segment->id});
}

Test(restore_blocks, all_that_have_a_block_that_is_not_kept_lose_it)
{
    begin();
    publish_block(model, OWNER, "session", LIFETIME_SESSION);
    leave_block(model, OWNER, "kept", LIFETIME_KEEP);
    publish_block(model, OWNER, "stays", LIFETIME_KEEP);
    attached(OTHER, "session");
    attached(OTHER, "kept");
    attached(OWNER, "kept");
    end_unkept("session");
    end_unkept("kept");
    cr_expect(!broker_has_unkept_blocks(model->broker) && !block_of("session") && !block_of("kept"));
    cr_expect_eq(model->ended.reason, END_SHUTDOWN);
    cr_expect_eq(used(), MIB);
    end();
}

Test(restore_blocks, those_that_are_not_kept_end_in_several_steps)
{
    enum { VIEWS = 200 };
    begin();
    leave_block(model, OWNER, "n", LIFETIME_KEEP);
    leave_block(model, OWNER, "next", LIFETIME_KEEP);
    model->options.settings.sharing.views_max = VIEWS + 1;
    model_configure(model);
    for (int i = 0; i < VIEWS; i++) {
        attached(OTHER, "n");
    }
    attached(OTHER, "next");
    end_unkept("n");
    end_unkept("next");
    cr_expect(broker_has_unkept_blocks(model->broker) && broker_next_wakeup(model->broker) == 0);
    model_feed(model, &(struct input){.kind = INPUT_DIED, .session = model->peers[OTHER].session});
    while (broker_has_unkept_blocks(model->broker)) {
        model_pass(model, 0);
    }
    cr_expect_eq(used(), 0);
    end();
}
