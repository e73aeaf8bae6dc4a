/* SPDX-License-Identifier: Apache-2.0 */
/* Watching names: lists, changes, what is not remembered, and what a watch may not see. */
#include <stdio.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/watch.h"
#include "proto/base/text.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/publishing.h"
#include "tests/unit/core/watching.h"

TestSuite(watches);

Test(watches, a_list_has_those_with_the_prefix_by_name, .init = watching_begin, .fini = watching_end)
{
    expect_changes(list(OTHER, ""), "");
    publish("ab");
    publish("a");
    publish("abc");
    publish("b");
    publish("aa");
    expect_changes(list(OTHER, ""), "+a +aa +ab +abc +b ");
    expect_changes(list(OTHER, "ab"), "+ab +abc ");
    expect_changes(list(OTHER, "abcd"), "");
    expect_changes(answered(ask_to_watch(OTHER, "a", 0, "aa", 0)), "+ab +abc ");
    expect_changes(answered(ask_to_watch(OTHER, "a", 0, "aaz", 0)), "+ab +abc ");
    expect_changes(answered(ask_to_watch(OTHER, "a", 0, "abc", 0)), "");
    expect_changes(answered(ask_to_watch(OTHER, "b", 0, "a", 0)), "+b ");
    const struct block_change_entry *change = &list(OTHER, "b")->changes[0];
    cr_expect_str_eq(change->type, "array");
    cr_expect(change->block == 4 && change->bytes == MIB);
}

Test(watches, of_ones_own_user_if_no_owner_is_named, .init = watching_begin, .fini = watching_end)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS};
    publish("n");
    (void)model_request(model, OTHER, &request);
    expect_changes(answered(request.id), "");
    request.id = 0;
    (void)model_request(model, TWIN, &request);
    expect_changes(answered(request.id), "+n ");
}

Test(watches, a_long_list_comes_in_pages, .init = watching_begin, .fini = watching_end)
{
    enum { BLOCKS = 2 * MESSAGE_CHANGES_MAX + 1 };
    char name[8];
    for (int i = 0; i < BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        publish(name);
    }
    const struct block_changes_reply *page = list(OTHER, "n");
    uint64_t revision = page->revision;
    cr_expect(page->more && page->change_count == MESSAGE_CHANGES_MAX);
    page = answered(ask_to_watch(OTHER, "n", 0, page->changes[page->change_count - 1].name, 0));
    cr_expect(page->more && page->change_count == MESSAGE_CHANGES_MAX);
    page = answered(ask_to_watch(OTHER, "n", 0, page->changes[page->change_count - 1].name, 0));
    cr_expect(!page->more && page->change_count == 1 && page->revision == revision);
    cr_expect_str_eq(page->changes[0].name, "n128");
}

Test(watches, names_that_may_not_be_told_are_passed_over_in_parts, .init = watching_begin, .fini = watching_end)
{
    enum { BLOCKS = WATCH_NAMES_AT_ONCE + 100 };
    char name[8];
    for (int i = 0; i < BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        model_release(model, OWNER, publish_for(name, BLOCK_ACCESS_USER, 0, false));
    }
    publish("o");
    expect_changes(list(OTHER, ""), "+o ");
    cr_expect_not(list(OTHER, "n")->more);
    publish("a");
    expect_changes(list(OTHER, ""), "+a +o ");
    unpublish_block(model, OWNER, "o");
    const struct block_changes_reply *page = list(OTHER, "");
    expect_changes(page, "+a ");
    cr_expect_not(page->more, "another page follows, of names that may not be told");
}

Test(watches, a_full_page_before_names_that_may_not_be_told_is_the_last, .init = watching_begin, .fini = watching_end)
{
    char name[8];
    for (int i = 0; i < MESSAGE_CHANGES_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        publish(name);
    }
    model_release(model, OWNER, publish_for("o", BLOCK_ACCESS_USER, 0, false));
    const struct block_changes_reply *page = list(OTHER, "");
    cr_expect(!page->more && page->change_count == MESSAGE_CHANGES_MAX);
    page = list(TWIN, "");
    cr_expect(page->more && page->change_count == MESSAGE_CHANGES_MAX);
}

static uint64_t known_by(int peer)
{
    const struct session *session = session_table_find(&model->broker->sessions, model->peers[peer].session);
    return TAILQ_FIRST(&session->watches)->after;
}

/* Else any user could have others' publications looked at as often as it likes. */
Test(watches, a_change_for_the_owner_alone_is_not_looked_at_for_others, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision;
    uint64_t owners = ask_to_watch(TWIN, "n", revision, "", WAIT_MS),
             others = ask_to_watch(OTHER, "n", revision, "", WAIT_MS);
    model_release(model, OWNER, publish_for("n", BLOCK_ACCESS_USER, 0, false));
    model_finish(model);
    expect_changes(answered(owners), "+n ");
    cr_expect_eq(known_by(OTHER), revision);
    model_release(model, OWNER, publish_for("ng", BLOCK_ACCESS_GROUP, 0, false));
    model_finish(model);
    expect_changes(answered(others), "+ng ");
}

static uint64_t ask_for_a_long_list(int hidden)
{
    char name[8];
    for (int i = 0; i < hidden; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        model_release(model, OWNER, publish_for(name, BLOCK_ACCESS_USER, 0, false));
    }
    struct request request = {.kind = REQUEST_WATCH_BLOCKS, .watch_blocks = {.has_owner = true, .owner = 1000}};
    cr_assert_null(model_request(model, OTHER, &request));
    return request.id;
}

static void publish_until_the_end(const char *name)
{
    struct request request = {.kind = REQUEST_PUBLISH,
                              .publish = {.lease = publishable(model, TWIN), .access = BLOCK_ACCESS_ALL}};
    text_copy(request.publish.name, MESSAGE_NAME_SIZE, name);
    cr_assert_eq(model_request(model, TWIN, &request)->kind, REPLY_DONE);
}

static void die(void)
{
    struct input input = {.kind = INPUT_DIED, .session = model->peers[TWIN].session};
    model_feed(model, &input);
    model_finish(model);
}

Test(watches, a_page_has_no_block_that_ended_before_it_was_whole, .init = watching_begin, .fini = watching_end)
{
    publish_until_the_end("a");
    publish_until_the_end("b");
    publish("c");
    uint64_t request = ask_for_a_long_list(2 * WATCHES_PER_STEP * WATCH_NAMES_AT_ONCE + 10);
    die();
    expect_changes(answered(request), "+c ");
}

Test(watches, a_page_whose_blocks_have_all_ended_is_followed_by_the_next, .init = watching_begin, .fini = watching_end)
{
    char name[8];
    for (int i = 0; i < MESSAGE_CHANGES_MAX; i++) {
        (void)snprintf(name, sizeof name, "a%03d", i);
        publish_until_the_end(name);
    }
    publish("o");
    uint64_t request = ask_for_a_long_list(2 * WATCHES_PER_STEP * WATCH_NAMES_AT_ONCE);
    die();
    expect_changes(answered(request), "+o ");
}

Test(watches, changes_are_told_once_in_their_order, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "n")->revision;
    publish("n");
    publish("other");
    model_release(model, OWNER, publish_for("n", BLOCK_ACCESS_ALL, 0, true));
    unpublish_block(model, OWNER, "n");
    const struct block_changes_reply *reply = answered(ask_to_watch(OTHER, "n", revision, "", WAIT_MS));
    expect_changes(reply, "+n -n:9 +n -n:8 ");
    cr_expect(!reply->lost && !reply->more);
    uint64_t later = reply->revision;
    expect_changes(answered(ask_to_watch(OTHER, "n", revision + 1, "", 0)), "-n:9 +n -n:8 ");
    reply = answered(ask_to_watch(OTHER, "n", later, "", 0));
    expect_changes(reply, "");
    cr_expect_eq(reply->revision, later);
}

Test(watches, those_that_wait_are_answered_by_the_first_change, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision;
    uint64_t all = ask_to_watch(OTHER, "", revision, "", WAIT_MS),
             some = ask_to_watch(TWIN, "nam", revision, "", WAIT_MS);
    uint64_t whole = ask_to_watch(TWIN, "name", revision, "", WAIT_MS),
             longer = ask_to_watch(TWIN, "names", revision, "", WAIT_MS);
    cr_assert_null(model_answer(model, all));
    publish("name");
    model_finish(model);
    expect_changes(answered(all), "+name ");
    expect_changes(answered(some), "+name ");
    expect_changes(answered(whole), "+name ");
    cr_expect_null(model_answer(model, longer));
    model_pass(model, WAIT_MS - 1);
    cr_expect_null(model_answer(model, longer));
    model_pass(model, 1);
    expect_changes(answered(longer), "");
    cr_expect_eq(answered(longer)->revision, answered(all)->revision);
}

Test(watches, a_watch_that_waits_is_asked_for_no_time_before_its_end, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision;
    ask_to_watch(OTHER, "", revision, "", WAIT_MS);
    ask_to_watch(OTHER, "", revision, "", WAIT_MS / 2);
    cr_expect_eq(broker_next_wakeup(model->broker), model->now + WAIT_MS / 2 * UINT64_C(1000000));
}

Test(watches, blocks_that_may_not_be_attached_are_not_told, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision;
    uint64_t theirs = ask_to_watch(OTHER, "", revision, "", WAIT_MS),
             own = ask_to_watch(TWIN, "", revision, "", WAIT_MS);
    model_release(model, OWNER, publish_for("mine", BLOCK_ACCESS_USER, 0, false));
    unpublish_block(model, OWNER, "mine");
    model_finish(model);
    cr_expect_null(model_answer(model, theirs));
    expect_changes(answered(own), "+mine ");
    expect_changes(list(OTHER, ""), "");
    model_pass(model, WAIT_MS);
    expect_changes(answered(theirs), "");
}

Test(watches, many_that_wait_are_answered_in_several_steps, .init = watching_begin)
{
    enum { PEERS = 20 };
    uint64_t requests[PEERS], revision = list(OWNER, "")->revision;
    for (int i = 0; i < PEERS; i++) {
        model_open_as(model, 3 + i, "d", 1002);
        requests[i] = ask_to_watch(3 + i, "n", revision, "", WAIT_MS);
    }
    model->largest_step = 0;
    publish("n");
    model_finish(model);
    for (int i = 0; i < 100 && broker_next_wakeup(model->broker) <= model->now; i++) {
        model_pass(model, 0);
    }
    for (int i = 0; i < PEERS; i++) {
        expect_changes(answered(requests[i]), "+n ");
    }
    cr_expect_leq(model->largest_step, 3 * WATCHES_PER_STEP);
    watching_end();
}

Test(watches, what_changes_again_before_all_are_answered_is_told_to_the_rest, .init = watching_begin)
{
    enum { PEERS = 20 };
    uint64_t requests[PEERS], revision = list(OWNER, "")->revision;
    for (int i = 0; i < PEERS; i++) {
        model_open_as(model, 3 + i, "d", 1002);
        requests[i] = ask_to_watch(3 + i, "n", revision, "", WAIT_MS);
    }
    publish("n");
    cr_assert_null(model_answer(model, requests[PEERS - 1]));
    unpublish_block(model, OWNER, "n");
    model_pass(model, 0);
    expect_changes(answered(requests[0]), "+n ");
    expect_changes(answered(requests[PEERS - 1]), "+n -n:8 ");
    watching_end();
}

Test(watches, a_step_without_room_for_their_answers_leaves_them_to_the_next, .init = watching_begin,
     .fini = watching_end)
{
    enum { FULL = EFFECTS_MAX - WATCH_KINDS + 1, FIRST = 1000, REQUESTS = 2 };
    struct step step = {.broker = model->broker, .now = model->now, .effects = &model->effects};
    struct session *session = session_table_find(&model->broker->sessions, model->peers[OTHER].session);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        struct request request = {.kind = REQUEST_WATCH_BLOCKS, .id = FIRST + i};
        watch_request(&step, session, &request);
    }
    size_t before = step.effects->count;
    step.effects->count = FULL;
    watch_work(&step);
    cr_expect_eq(step.effects->count, FULL);
    step.effects->count = before;
    cr_expect_eq(broker_next_wakeup(model->broker), 0);
    model_pass(model, 0);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        expect_changes(answered(FIRST + i), "");
    }
}

Test(watches, names_of_two_users_with_the_same_prefix_are_not_mixed, .init = watching_begin, .fini = watching_end)
{
    struct request own = {.kind = REQUEST_WATCH_BLOCKS};
    own.watch_blocks = (struct watch_blocks_request){
        .after = list(OTHER, "")->revision, .wait_ms = WAIT_MS, .has_owner = true, .owner = 1001, .prefix = "n"};
    (void)model_request(model, OTHER, &own);
    uint64_t theirs = ask_to_watch(OTHER, "n", own.watch_blocks.after, "", WAIT_MS);
    publish("n");
    model_finish(model);
    expect_changes(answered(theirs), "+n ");
    cr_expect_null(model_answer(model, own.id));
    own.id = 0;
    own.watch_blocks.wait_ms = 0;
    (void)model_request(model, OTHER, &own);
    expect_changes(answered(own.id), "");
}

Test(watches, one_that_begins_to_wait_meanwhile_is_told_no_old_change, .init = watching_begin, .fini = watching_end)
{
    uint64_t requests[3 * 3];
    uint64_t revision = list(OWNER, "")->revision;
    model->options.settings.sharing.watches_max = 10;
    model_configure(model);
    for (int i = 0; i < 9; i++) { /* in one group */
        requests[i] = ask_to_watch(i % 2 ? TWIN : OWNER, "n", revision, "", WAIT_MS);
    }
    publish("n");
    uint64_t newest = answered(requests[0])->revision;
    uint64_t late = ask_to_watch(0, "n", newest, "", WAIT_MS);
    for (int i = 0; i < 100 && broker_next_wakeup(model->broker) <= model->now; i++) {
        model_pass(model, 0);
    }
    expect_changes(answered(requests[8]), "+n ");
    cr_expect_null(model_answer(model, late));
    unpublish_block(model, OWNER, "n");
    model_finish(model);
    expect_changes(answered(late), "-n:8 ");
}

Test(watches, what_is_not_remembered_is_to_be_listed_again, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision;
    for (int i = 0; i < BLOCK_CHANGES_REMEMBERED / 2; i++) {
        publish("n");
        unpublish_block(model, OWNER, "n");
    }
    const struct block_changes_reply *reply = answered(ask_to_watch(OTHER, "", revision, "", WAIT_MS));
    cr_expect(!reply->lost && reply->change_count == MESSAGE_CHANGES_MAX);
    publish("n");
    reply = answered(ask_to_watch(OTHER, "", revision, "", WAIT_MS));
    cr_expect(reply->lost && reply->change_count == 0);
    reply = answered(ask_to_watch(OTHER, "", revision + BLOCK_CHANGES_REMEMBERED + 2, "", WAIT_MS));
    cr_expect(reply->lost, "a revision that there was not yet is another daemon's");
}

Test(watches, revisions_of_an_earlier_daemon_are_not_remembered, .init = watching_begin, .fini = watching_end)
{
    cr_expect_not(answered(ask_to_watch(OTHER, "", 1, "", 0))->lost);
    model->options.first_revision = 7;
    model_restart(model);
    model_open_as(model, 5, "e", 1001);
    cr_expect_eq(list(5, "")->revision, 7);
    cr_expect(answered(ask_to_watch(5, "", 6, "", WAIT_MS))->lost);
    cr_expect_not(answered(ask_to_watch(5, "", 7, "", 0))->lost);
}

Test(watches, a_session_has_a_few, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision, first = ask_to_watch(OTHER, "", revision, "", WAIT_MS);
    ask_to_watch(OTHER, "n", revision, "", WAIT_MS);
    ask_to_watch(OTHER, "m", revision, "", WAIT_MS);
    const struct reply *reply = model_answer(model, ask_to_watch(OTHER, "o", revision, "", WAIT_MS));
    cr_assert(reply && reply->kind == REPLY_ERROR && reply->error.code == ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "max_watches"));
    struct request request = {.kind = REQUEST_CANCEL, .cancel_request = first};
    (void)model_request(model, OTHER, &request);
    refused(model_answer(model, first), ERROR_CANCELLED);
    uint64_t next = ask_to_watch(OTHER, "o", revision, "", WAIT_MS);
    cr_expect_null(model_answer(model, next));
    request.id = 0;
    request.cancel_request = 12345;
    (void)model_request(model, OTHER, &request);
    cr_expect_null(model_answer(model, next));
}

Test(watches, all_sessions_of_a_user_have_some, .init = watching_begin, .fini = watching_end)
{
    model->options.settings.sharing.watches_per_user_max = 4;
    model_configure(model);
    uint64_t revision = list(OTHER, "")->revision;
    model_open_as(model, 5, "e", 1001);
    model_open_as(model, 6, "f", 1006);
    uint64_t first = ask_to_watch(5, "", revision, "", WAIT_MS);
    for (int i = 0; i < 3; i++) {
        cr_expect_null(model_answer(model, ask_to_watch(OTHER, "n", revision, "", WAIT_MS)));
    }
    const struct reply *reply = model_answer(model, ask_to_watch(5, "", revision, "", WAIT_MS));
    cr_assert(reply && reply->kind == REPLY_ERROR && reply->error.code == ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "user 1001 has 4 watches, and [sharing] max_watches_per_user is 4"), "%s",
              reply->error.sentence);
    cr_expect_null(model_answer(model, ask_to_watch(6, "", revision, "", WAIT_MS)), "another user's do not count");
    struct request request = {.kind = REQUEST_CANCEL, .cancel_request = first};
    (void)model_request(model, 5, &request);
    cr_expect_null(model_answer(model, ask_to_watch(5, "", revision, "", WAIT_MS)));
}

Test(watches, they_end_with_their_connection, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision, waiting = ask_to_watch(OTHER, "", revision, "", WAIT_MS);
    granted(model_acquire(model, OTHER, MIB, LOCATION_RAM, 0)); /* what a session comes back for */
    struct input input = {.kind = INPUT_DISCONNECTED, .session = model->peers[OTHER].session};
    model_feed(model, &input);
    publish("n");
    cr_expect_null(model_answer(model, waiting));
    input.kind = INPUT_RESUMED;
    model_feed(model, &input);
    waiting = ask_to_watch(OTHER, "", revision, "", WAIT_MS);
    expect_changes(answered(waiting), "+n ");
    ask_to_watch(OTHER, "m", revision, "", WAIT_MS);
    input.kind = INPUT_DIED;
    model_feed(model, &input);
}

Test(watches, one_that_wants_no_answer_is_none, .init = watching_begin, .fini = watching_end)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS};
    model_request_unanswered(model, OTHER, &request);
    cr_expect_eq(broker_next_wakeup(model->broker), UINT64_MAX);
}

Test(watches, memory_that_is_short_is_an_answer, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision;
    for (long i = 1; i <= 2; i++) {
        exhaustion_arm(i);
        uint64_t request = ask_to_watch(OTHER, "", revision, "", WAIT_MS);
        exhaustion_arm(0);
        refused(model_answer(model, request), ERROR_SYSTEM);
    }
}
