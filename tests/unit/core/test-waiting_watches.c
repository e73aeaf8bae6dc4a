/* SPDX-License-Identifier: Apache-2.0 */
/* Watches that wait: what is told to them in the end, whatever else happens meanwhile. */
#include <stdio.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/watch.h"
#include "tests/unit/core/publishing.h"
#include "tests/unit/core/watching.h"

TestSuite(waiting_watches, .timeout = 60);

enum { STRANGERS = 78 /* a group */ };

static bool is_idle(void)
{
    return broker_next_wakeup(model->broker) > model->now;
}

/* Until nothing is left to be done at this time. */
static void settle(void)
{
    for (int i = 0; i < 100 && !is_idle(); i++) {
        model_pass(model, 0);
    }
    cr_assert(is_idle(), "the broker goes on and on");
}

Test(waiting_watches, a_groups_names_are_told_to_its_members, .init = watching_begin, .fini = watching_end)
{
    enum { GROUP = 77 };
    struct session *owner = session_table_find(&model->broker->sessions, model->peers[OWNER].session);
    struct session *other = session_table_find(&model->broker->sessions, model->peers[OTHER].session);
    uint64_t revision = list(OTHER, "")->revision;
    owner->identity.gid = other->identity.gid = GROUP;
    model_open_as(model, 3, "d", 1002);
    uint64_t members = ask_to_watch(OTHER, "", revision, "", WAIT_MS),
             strangers = ask_to_watch(3, "", revision, "", WAIT_MS);
    model_release(model, OWNER, publish_for("n", BLOCK_ACCESS_GROUP, GROUP, false));
    settle();
    expect_changes(answered(members), "+n ");
    cr_expect_null(model_answer(model, strangers));
    expect_changes(list(OTHER, ""), "+n ");
    expect_changes(list(3, ""), "");
}

/* They are asked again what is in it for them, each once. */
Test(waiting_watches, names_that_may_not_be_told_keep_no_broker_busy, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision, requests[3];
    session_table_find(&model->broker->sessions, model->peers[OTHER].session)->identity.gid = STRANGERS;
    for (int i = 0; i < 3; i++) {
        requests[i] = ask_to_watch(OTHER, "", revision, "", WAIT_MS);
    }
    model_release(model, OWNER, publish_for("group", BLOCK_ACCESS_GROUP, 0, false));
    settle();
    cr_expect_eq(broker_next_wakeup(model->broker), model->now + WAIT_MS * UINT64_C(1000000));
    publish("n");
    settle();
    for (int i = 0; i < 3; i++) {
        expect_changes(answered(requests[i]), "+n ");
    }
}

Test(waiting_watches, it_is_answered_at_its_end_though_nothing_happens, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "")->revision, request = ask_to_watch(OTHER, "", revision, "", WAIT_MS);
    cr_expect_eq(broker_next_wakeup(model->broker), model->now + WAIT_MS * UINT64_C(1000000));
    model_pass(model, WAIT_MS - 1);
    cr_expect_null(model_answer(model, request));
    model_pass(model, 1);
    expect_changes(answered(request), "");
    cr_expect_eq(answered(request)->revision, revision);
}

/* More than the broker remembers: what was passed over is no loss. */
Test(waiting_watches, changes_of_other_names_make_it_lose_nothing, .init = watching_begin, .fini = watching_end)
{
    uint64_t revision = list(OTHER, "n")->revision;
    uint64_t changed = ask_to_watch(OTHER, "n", revision, "", WAIT_MS),
             quiet = ask_to_watch(OTHER, "m", revision, "", WAIT_MS);
    for (int i = 0; i <= BLOCK_CHANGES_REMEMBERED / 2; i++) {
        publish("other");
        unpublish_block(model, OWNER, "other");
    }
    publish("n");
    settle();
    cr_expect_not(answered(changed)->lost);
    expect_changes(answered(changed), "+n ");
    model_pass(model, WAIT_MS);
    cr_expect_not(answered(quiet)->lost);
    expect_changes(answered(quiet), "");
    cr_expect_eq(answered(quiet)->revision, answered(changed)->revision);
}

/* One that was answered asks again, and waits behind those that are not answered yet. */
Test(waiting_watches, a_change_while_others_are_being_answered_is_told_to_who_asks_again, .init = watching_begin)
{
    enum { PEERS = 20 };
    struct request again = {.kind = REQUEST_WATCH_BLOCKS};
    uint64_t requests[PEERS], revision = list(OWNER, "")->revision;
    for (int i = 0; i < PEERS; i++) {
        model_open_as(model, 3 + i, "d", 1002);
        requests[i] = ask_to_watch(3 + i, "n", revision, "", WAIT_MS);
    }
    publish("n");
    again.watch_blocks = (struct watch_blocks_request){
        .has_owner = true, .owner = 1000, .after = answered(requests[0])->revision, .wait_ms = WAIT_MS, .prefix = "n"};
    cr_assert_null(model_request(model, 3, &again));
    cr_assert_null(model_answer(model, requests[PEERS - 1]), "others have not been answered");
    unpublish_block(model, OWNER, "n");
    settle();
    expect_changes(answered(again.id), "-n:8 ");
    expect_changes(answered(requests[PEERS - 1]), "+n -n:8 ");
    watching_end();
}

/* A list that takes many steps says what is told after it: all that happened since it began. */
Test(waiting_watches, what_happens_while_a_list_is_made_is_told_after_it, .init = watching_begin, .fini = watching_end)
{
    char name[8];
    for (int i = 0; i < 2 * WATCHES_PER_STEP * WATCH_NAMES_AT_ONCE + 10; i++) {
        (void)snprintf(name, sizeof name, "n%03d", i);
        model_release(model, OWNER, publish_for(name, BLOCK_ACCESS_USER, 0, false));
    }
    uint64_t lease = publishable(model, TWIN);
    struct request request = {.kind = REQUEST_WATCH_BLOCKS, .watch_blocks = {.has_owner = true, .owner = 1000}};
    cr_assert_null(model_request(model, OTHER, &request));
    struct request early = {.kind = REQUEST_PUBLISH, .publish = {.lease = lease, .access = BLOCK_ACCESS_ALL}};
    early.publish.name[0] = 'a'; /* which the list has passed */
    cr_assert_eq(model_request(model, TWIN, &early)->kind, REPLY_DONE);
    settle();
    expect_changes(answered(request.id), "");
    expect_changes(answered(ask_to_watch(OTHER, "", answered(request.id)->revision, "", WAIT_MS)), "+a ");
}
