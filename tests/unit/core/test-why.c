/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of those who wait, or were refused: why, and when enough could come free. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/earliest.h"
#include "daemon/core/visibility.h"
#include "tests/unit/core/sharing.h"

TestSuite(why);

static struct why_entry why[4];

static size_t explain(struct model *model, const struct identity *viewer)
{
    return broker_explain(model->broker, viewer, 0, model->now, why, 4);
}

Test(why, a_pause_is_named_and_its_end_is_not_known)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    struct input full = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_FULL};
    struct input none = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_NONE};
    model->options.settings.pause_at = PRESSURE_FULL;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_feed(model, &full);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 2);
    for (int i = 0; i < 2; i++) {
        cr_expect_str_eq(why[i].refusal.limit, "pause_ram_at");
        cr_expect_eq(why[i].earliest_ms, UINT64_MAX);
    }
    model_feed(model, &none);
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].earliest_ms, 0, "it would be granted now");
    uint64_t lease = granted(model_answer(model, model->next_request));
    model->hold_frees = true;
    model_release(model, 0, lease);
    model_feed(model, &full);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY); /* what is being freed does not help */
    model_free(model);
}

/* Somebody may have thousands of sessions, and have something refused to each. */
Test(why, refusals_that_others_must_not_see_are_skipped_up_to_a_bound)
{
    enum { OTHERS = 1024 };
    static struct session others[OTHERS];
    const struct identity mine = {.uid = 1000};
    struct model *model = model_new(0, 4 * MIB, 0);
    uint64_t session = model_open_as(model, 0, "mine", mine.uid);
    struct session_list *list = &model->broker->sessions.refused;
    refused(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    for (size_t i = 0; i < OTHERS; i++) {
        others[i] = (struct session){.identity.uid = 1001, .refused_at = model->now};
        TAILQ_INSERT_HEAD(list, &others[i], in_refused);
        if (i == OTHERS - 2) {
            cr_expect_eq(explain(model, &mine), 1, "the last that is looked at");
        }
    }
    cr_expect_eq(explain(model, &mine), 0);
    cr_expect_eq(broker_explain(model->broker, &mine, session, model->now, why, 4), 1, "its own is found at once");
    for (size_t i = 0; i < OTHERS; i++) {
        TAILQ_REMOVE(list, &others[i], in_refused);
    }
    model_free(model);
}

Test(why, claims_of_earlier_requests_are_not_free)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 20000));
    cr_expect_null(model_acquire_waiting(model, 1, 16 * MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 2);
    cr_expect_eq(why[0].refusal.claimed_bytes, 0);
    cr_expect_eq(why[0].refusal.free_bytes, 10 * MIB);
    cr_expect_eq(why[0].earliest_ms, 20000);
    cr_expect_eq(why[1].refusal.claimed_bytes, 16 * MIB);
    cr_expect_eq(why[1].refusal.free_bytes, 0);
    cr_expect_eq(why[1].earliest_ms, UINT64_MAX, "what the first will hold comes back at its own time");
    cr_expect_null(broker_check(model->broker), "nothing stays claimed");
    model_free(model);
}

Test(why, bytes_that_would_refill_a_reserve_do_not_become_free)
{
    struct model *model = sharing(16 * MIB); /* 4 of it are reserved for class c */
    model_open_as(model, 0, "c", 1);
    model_open_as(model, 1, "a", 2);
    granted(model_acquire(model, 0, 5 * MIB, LOCATION_RAM, 10000));
    granted(model_acquire(model, 1, 11 * MIB, LOCATION_RAM, 40000));
    cr_expect_null(model_acquire_waiting(model, 1, MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].earliest_ms, 10000, "one of the five is above the reserve");
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = model->next_request};
    model_request(model, 1, &cancel);
    cr_expect_null(model_acquire_waiting(model, 1, 2 * MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].earliest_ms, 40000);
    cr_expect_null(model_acquire_waiting(model, 0, 2 * MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 2);
    cr_expect_eq(why[0].earliest_ms, 10000, "its own reserve is no loss");
    model_free(model);
}

Test(why, the_refusal_of_an_ended_session_is_shown_to_its_user)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    const struct identity same = {.pid = 9, .uid = 5}, stranger = {.pid = 9, .uid = 4711};
    struct input died = {.kind = INPUT_DIED};
    for (int i = 0; i < REFUSALS_REMEMBERED + 2; i++) {
        died.session = model_open_as(model, i, i ? "late" : "first", 5);
        refused(model_acquire(model, i, (9 + (uint64_t)i) * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
        model_feed(model, &died);
    }
    died.session = model_open_as(model, 30, "content", 5);
    model_feed(model, &died); /* it was refused nothing */
    cr_expect_eq(explain(model, &stranger), 0);
    cr_assert_eq(explain(model, &same), 4);
    cr_expect_str_eq(why[0].name, "late");
    cr_expect_eq(why[0].refusal.asked_bytes, (9 + REFUSALS_REMEMBERED + 1) * MIB, "the newest first");
    cr_expect_eq(why[0].uid, 5);
    cr_expect_not(why[0].waits);
    cr_expect_eq(broker_explain(model->broker, &same, why[1].session, model->now, why, 4), 1);
    cr_expect_eq(why[0].refusal.asked_bytes, (9 + REFUSALS_REMEMBERED) * MIB);
    static struct why_entry all[2 * REFUSALS_REMEMBERED];
    size_t count = broker_explain(model->broker, &same, 0, model->now, all, 2 * REFUSALS_REMEMBERED);
    cr_expect_eq(count, REFUSALS_REMEMBERED, "so many are remembered");
    model->now += 600 * NANOSECONDS_PER_SECOND;
    cr_expect_eq(explain(model, &same), 0);
    model_free(model);
}

static uint64_t ends(struct model *model, enum ledger_limit limit, uint64_t lacking, uint64_t now, size_t *looks)
{
    const struct shortage shortage = {.session = session_table_find(&model->broker->sessions, model->peers[0].session),
                                      .account = &model->broker->host,
                                      .limit = limit,
                                      .lacking = lacking};
    return earliest_ms(model->broker, &shortage, now, looks);
}

Test(why, ends_are_sorted_by_time_and_cached_for_a_second)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    size_t looks = EARLIEST_LOOKS, none = 0;
    model->options.settings.times.ttl_max_ms = UINT32_MAX;
    model->options.settings.times.ttl_min_ms = 1;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 5));
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 900));
    granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 17));
    cr_expect_eq(ends(model, LEDGER_MAX_PHYSICAL_BYTES, 2 * MIB, model->now, &looks), 5);
    cr_expect_eq(looks, EARLIEST_LOOKS - 3);
    cr_expect_eq(ends(model, LEDGER_MAX_PHYSICAL_BYTES, 3 * MIB, model->now, &looks), 900);
    cr_expect_eq(looks, EARLIEST_LOOKS - 3, "not looked at again");
    cr_expect_eq(ends(model, LEDGER_MAX_BYTES, 3 * MIB, model->now, &looks), 17);
    cr_expect_eq(ends(model, LEDGER_MAX_PHYSICAL_BYTES, 4 * MIB, model->now, &none), UINT64_MAX);
    uint64_t later = model->now + NANOSECONDS_PER_SECOND;
    looks = 1;
    cr_expect_eq(ends(model, LEDGER_MAX_PHYSICAL_BYTES, 3 * MIB, later, &looks), UINT64_MAX,
                 "it may look at one lease only");
    cr_expect_eq(looks, 0);
    model_free(model);
}

static void wait_for_either(struct model *model, int peer, uint64_t bytes)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = bytes, .location = LOCATION_AUTO, .numa_node = -1, .wait_ms = 100000};
    cr_expect_null(model_request(model, peer, &request));
}

Test(why, a_request_for_either_location_is_explained_for_the_earlier_one)
{
    struct model *model = model_new(0, 8 * MIB, 8 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t ram = granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 7800));
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_MMAP, 59700));
    wait_for_either(model, 1, 4 * MIB);
    uint64_t request = model->next_request;
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].earliest_ms, 7800);
    cr_expect_eq(why[0].location, LOCATION_RAM);
    cr_expect(why[0].either);
    model_release(model, 0, ram);
    granted(model_answer(model, request));
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    wait_for_either(model, 1, 8 * MIB);
    model_pass(model, 1000); /* what was found before is forgotten */
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].location, LOCATION_MMAP);
    cr_expect_str_eq(why[0].refusal.limit, "max_mapped_bytes");
    model_free(model);
}

Test(why, after_a_pause_the_numbers_are_those_of_the_limit)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    struct input full = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_FULL};
    struct input none = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_NONE};
    model->options.settings.pause_at = PRESSURE_FULL;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_feed(model, &full);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    model_feed(model, &none);
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_str_eq(why[0].refusal.limit, "max_physical_bytes", "not paused, since it is not any more");
    cr_expect_eq(why[0].refusal.free_bytes, 16 * MIB);
    cr_expect_eq(why[0].earliest_ms, 0);
    model_free(model);
}

Test(why, a_reached_limit_of_leases_is_explained_with_the_next_end)
{
    struct model *model = with_max_leases(64 * MIB, one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS), 2);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 30000));
    granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 9000));
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    for (int i = 0; i < 2; i++) {
        cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    }
    cr_assert_eq(explain(model, &model_root), 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(why[i].refusal.limit, "max_leases");
        cr_expect_str_eq(why[i].refusal.whose, "class default");
        cr_expect_eq(why[i].refusal.used_bytes, 2);
        cr_expect_eq(why[i].refusal.claimed_bytes, i < 2 ? (uint64_t)i : 2);
    }
    cr_expect_eq(why[0].earliest_ms, 9000);
    cr_expect_eq(why[1].earliest_ms, 30000);
    cr_expect_eq(why[2].earliest_ms, UINT64_MAX, "both are for those that wait");
    model_free(model);
}

Test(why, the_pool_and_bytes_being_freed_count_as_available_now)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 60000));
    refused(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model->hold_frees = true;
    model_release(model, 0, lease);
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].refusal.free_bytes, 4 * MIB);
    cr_expect_eq(why[0].earliest_ms, 0);
    model->hold_frees = false;
    model_finish(model);
    model->options.settings.pool =
        (struct pool_settings){.bytes = 12 * MIB, .sizes = {.bytes = {12 * MIB}, .count = 1}};
    model_configure(model);
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_eq(why[0].refusal.pool_bytes, 12 * MIB);
    cr_expect_eq(why[0].earliest_ms, 0);
    model_free(model);
}

Test(why, leases_that_become_free_are_not_counted_as_bytes)
{
    struct policy_rule few = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    few.quota.max_leases = 2;
    few.quota.limits.max_bytes = 8 * MIB;
    struct model *model = with_rule(64 * MIB, &few);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 30000));
    uint64_t small = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 9000));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_str_eq(why[0].refusal.limit, "max_leases");
    cr_expect_eq(why[0].earliest_ms, 9000);
    struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = model->next_request};
    model_request(model, 0, &cancel);
    model_release(model, 0, small);
    cr_expect_null(model_acquire_waiting(model, 0, 7 * MIB, 60000));
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_str_eq(why[0].refusal.limit, "max_bytes");
    cr_expect_eq(why[0].earliest_ms, 30000);
    model_free(model);
}

/* A refusal's sentence named the holders: so does the explanation when its session has ended, as it was then. */
Test(why, the_refusal_of_an_ended_session_names_its_holders)
{
    const struct identity gone = {.uid = 1001};
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open_as(model, 0, "keeper", 1000);
    uint64_t lease = granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0));
    model_open_as(model, 1, "short", gone.uid);
    const struct reply *reply = refused(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(reply->error.refusal.holder_count, 1);
    cr_expect_str_eq(reply->error.refusal.holders[0].name, HIDDEN_NAME, "another user's");
    cr_expect(strstr(reply->error.sentence, "Largest holders: another user's (uid 1000) 6 MiB."), "%s",
              reply->error.sentence);
    struct request bye = {.kind = REQUEST_BYE};
    (void)model_request(model, 1, &bye);
    (void)model_release(model, 0, lease);
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect(why[0].is_over && !why[0].waits);
    cr_assert_eq(why[0].refusal.holder_count, 1);
    cr_expect(why[0].refusal.holders[0].bytes == 6 * MIB && why[0].refusal.holders[0].pid == 100);
    cr_expect_str_eq(why[0].refusal.holders[0].name, "keeper");
    cr_assert_eq(explain(model, &gone), 1);
    cr_expect_eq(why[0].refusal.holders[0].pid, 0, "what was hidden from him stays so");
    cr_expect_str_eq(why[0].refusal.holders[0].name, HIDDEN_NAME);
    model_free(model);
}

/* What is free is claimed by those who wait: a refusal says whose requests they are, the largest first. */
Test(why, waiting_requests_ahead_are_named)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    struct why_entry all[6];
    for (int i = 0; i < 5; i++) {
        model_open(model, i, LIMIT_DEFAULT);
    }
    granted(model_acquire(model, 0, 15 * MIB, LOCATION_RAM, 20000));
    for (int i = 1; i < 5; i++) {
        cr_expect_null(model_acquire_waiting(model, i, (uint64_t)(i + 2) * MIB, 60000));
    }
    const struct reply *reply = refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    const struct refusal *refusal = &reply->error.refusal;
    cr_expect_eq(refusal->claimed_bytes, 18 * MIB);
    cr_assert_eq(refusal->ahead_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect_eq(refusal->ahead[i].bytes, (6 - i) * MIB);
        cr_expect_eq(refusal->ahead[i].uid, 1004 - i);
        cr_expect_str_eq(refusal->ahead[i].name, HIDDEN_NAME);
    }
    cr_expect(strstr(reply->error.sentence, "Requests that wait ahead: another user's (uid 1004) 6 MiB, "), "%s",
              reply->error.sentence);
    cr_assert_eq(broker_explain(model->broker, &model_root, 0, model->now, all, 6), 5);
    for (size_t i = 0; i < 4; i++) {
        cr_expect(all[i].waits && all[i].refusal.ahead_count == (i < 3 ? i : 3), "those before it");
    }
    cr_expect(!all[4].waits && all[4].refusal.ahead_count == 3 && all[4].refusal.ahead[0].pid == 104);
    cr_expect_str_eq(all[4].refusal.ahead[0].name, "model");
    model_free(model);
}

/* Whether it is looked at first, last or between. */
Test(why, the_smallest_of_many_waiting_requests_ahead_is_not_named)
{
    for (int smallest = 1; smallest < 5; smallest++) {
        struct model *model = model_new(0, 16 * MIB, 0);
        for (int i = 0; i < 5; i++) {
            model_open(model, i, LIMIT_DEFAULT);
        }
        granted(model_acquire(model, 0, 15 * MIB, LOCATION_RAM, 20000));
        for (int i = 1; i < 5; i++) {
            cr_expect_null(model_acquire_waiting(model, i, i == smallest ? 2 * MIB : 4 * MIB, 60000));
        }
        const struct refusal *refusal =
            &refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal;
        cr_expect_eq(refusal->claimed_bytes, 14 * MIB);
        cr_assert_eq(refusal->ahead_count, 3);
        for (size_t i = 0; i < 3; i++) {
            cr_expect_eq(refusal->ahead[i].bytes, 4 * MIB);
            cr_expect_neq(refusal->ahead[i].uid, (uint32_t)(1000 + smallest));
        }
        model_free(model);
    }
}

/* Only the first few requests of a user are looked at: they are served before that user's others, however large. */
Test(why, requests_far_behind_in_one_users_order_are_not_named)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 15 * MIB, LOCATION_RAM, 20000));
    for (int i = 0; i < 5; i++) {
        cr_expect_null(model_acquire_waiting(model, 1, i < 4 ? 2 * MIB : 6 * MIB, 60000));
    }
    const struct refusal *refusal = &refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal;
    cr_expect_eq(refusal->claimed_bytes, 14 * MIB);
    cr_assert_eq(refusal->ahead_count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(refusal->ahead[i].bytes, 2 * MIB);
    }
    model_free(model);
}

/* A request that waits for its own client's limit claims nothing of the host, and delays no other request. */
Test(why, a_request_held_up_by_its_own_limit_is_ahead_of_no_other)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, MIB / 2);
    model_open(model, 1, LIMIT_DEFAULT);
    model_open(model, 2, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 20000));
    granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 20000));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 12 * MIB, 60000));
    granted(model_acquire(model, 2, 8 * MIB, LOCATION_MMAP, 20000)); /* it is served after the others */
    const struct refusal *refusal = &refused(model_acquire(model, 2, MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal;
    cr_expect_str_eq(refusal->whose, "host");
    cr_expect_eq(refusal->claimed_bytes, 12 * MIB);
    cr_assert_eq(refusal->ahead_count, 1);
    cr_expect_eq(refusal->ahead[0].uid, 1001);
    model_free(model);
}

Test(why, waiting_requests_for_a_lease_ahead_are_named)
{
    struct model *model = with_max_leases(16 * MIB, user_rule(1000), 1);
    model_open_as(model, 0, "first", 1000);
    model_open_as(model, 1, "second", 1000);
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    const struct reply *reply = refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, " has 1 lease, and its max_leases is 1."), "%s", reply->error.sentence);
    cr_expect_null(model_acquire_waiting(model, 0, 2 * MIB, 60000));
    reply = refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_assert_eq(reply->error.refusal.ahead_count, 1);
    cr_expect_str_eq(reply->error.refusal.ahead[0].name, "first");
    cr_expect(strstr(reply->error.sentence, "1 request waits for one before this one"), "%s", reply->error.sentence);
    cr_expect(strstr(reply->error.sentence, " Requests that wait ahead: first (pid 100, uid 1000)."), "%s",
              reply->error.sentence);
    (void)model_release(model, 0, lease);
    model_free(model);
}

/* What another user's request waits for counts at accounts of its own, not at this user's. */
Test(why, a_request_of_another_user_is_not_ahead_at_this_users_limit)
{
    struct model *model = with_max_leases(16 * MIB, user_rule(1000), 1);
    model_open_as(model, 0, "first", 1000);
    model_open_as(model, 1, "second", 1000);
    model_open_as(model, 2, "foreign", 1001);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 16 * MIB, 60000));
    const struct reply *reply = refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_assert_eq(reply->error.refusal.ahead_count, 1);
    cr_expect_str_eq(reply->error.refusal.ahead[0].name, "first");
    model_free(model);
}

Test(why, no_more_refusals_are_explained_than_there_is_room_for)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    for (int i = 0; i < 5; i++) {
        model_open(model, i, LIMIT_DEFAULT);
        refused(model_acquire(model, i, 8 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    }
    cr_expect_eq(explain(model, &model_root), 4);
    model_free(model);
}

/* To extend a lease takes no further one. */
Test(why, an_extension_does_not_wait_for_the_number_of_leases)
{
    struct model *model = with_max_leases(4 * MIB, one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS), 1);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 30000));
    struct request extend = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = 2 * MIB}};
    (void)refused(model_request(model, 0, &extend), ERROR_LIMIT);
    cr_assert_eq(explain(model, &model_root), 1);
    cr_expect_str_eq(why[0].refusal.limit, "max_physical_bytes");
    model_free(model);
}

Test(why, a_session_is_explained_only_to_users_who_may_see_it)
{
    const struct identity owner = {.uid = 1000}, other = {.uid = 1001};
    struct model *model = model_new(0, 16 * MIB, 0);
    uint64_t session = model_open_as(model, 0, "mine", owner.uid);
    cr_expect(broker_shows_session(model->broker, &owner, session));
    cr_expect(broker_shows_session(model->broker, &model_root, session));
    cr_expect_not(broker_shows_session(model->broker, &other, session));
    cr_expect_not(broker_shows_session(model->broker, &model_root, session + 1));
    model_free(model);
}
