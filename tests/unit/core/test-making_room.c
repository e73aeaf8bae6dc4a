/* SPDX-License-Identifier: Apache-2.0 */
/* How room is made before anybody is refused: trimming, pressure, remembered sizes, why. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

/* ---- before waiting ---- */

Test(making_room, holders_are_asked_to_trim_first_lowest_priority_before_largest)
{
    struct model *model = sharing(16 * MIB);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open_as(model, 0, "c", 1);
    model_open_as(model, 1, "a", 2);
    model_open_as(model, 2, "b", 3);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    uint64_t lease = granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire(model, 2, 8 * MIB, LOCATION_RAM, 0), "it is not refused before they had their say");
    uint64_t request = model->next_request;
    cr_expect_eq(model_events(model, 1, EVENT_TRIM), 1);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 0, "the first may give enough");
    struct request trimmed = {.kind = REQUEST_TRIMMED};
    model_release(model, 1, lease);
    model_request(model, 1, &trimmed);
    granted(model_answer(model, request));
    model_free(model);
}

Test(making_room, the_broker_waits_for_a_silent_session_only_until_the_deadline)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    model_pass(model, 99);
    cr_expect_null(model_answer(model, request));
    model_pass(model, 1);
    refused(model_answer(model, request), ERROR_LIMIT);
    refused(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0), ERROR_LIMIT); /* and not asked again at once */
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 1);
    model_free(model);
}

Test(making_room, auto_asks_for_trims_then_goes_to_a_file)
{
    struct model *model = model_new(0, 8 * MIB, 64 * MIB);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire(model, 1, 4 * MIB, LOCATION_AUTO, 0));
    uint64_t request = model->next_request;
    struct request trimmed = {.kind = REQUEST_TRIMMED};
    model_request(model, 0, &trimmed);
    const struct reply *reply = model_answer(model, request);
    granted(reply);
    cr_expect_eq(reply->grant.location, LOCATION_MMAP);
    model_free(model);
}

Test(making_room, sessions_are_asked_in_turn_and_not_again_for_a_while)
{
    struct model *model = model_new(0, 12 * MIB, 0);
    model->options.settings.queue.trim_ms = 5000;
    model_configure(model);
    for (int peer = 0; peer < 12; peer++) {
        model_open(model, peer, LIMIT_DEFAULT);
        granted(model_acquire(model, peer, MIB, LOCATION_RAM, 60000));
    }
    model_open(model, 12, LIMIT_DEFAULT);
    cr_expect_null(model_acquire_waiting(model, 12, 12 * MIB, 30000));
    size_t asked = 0;
    for (int peer = 0; peer < 12; peer++) {
        asked += model_events(model, peer, EVENT_TRIM);
    }
    cr_expect_eq(asked, 8);
    model_pass(model, 1500);
    cr_expect_null(model_acquire_waiting(model, 12, 12 * MIB, 30000));
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 2, "it had its time, though it did not answer yet");
    cr_expect_eq(model->broker->trims_pending, 12, "but is waited for once, as those are whom the second one asked");
    model_free(model);
}

Test(making_room, a_detached_session_is_not_asked)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = model->peers[0].session};
    model_feed(model, &gone);
    refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 0);
    model_free(model);
}

Test(making_room, only_those_under_the_limit_are_asked)
{
    struct policy_rule rule = one_rule(PRINCIPAL_USER, "alice");
    rule.id = 1;
    rule.quota.limits.max_bytes = 4 * MIB;
    struct model *model = with_rule(64 * MIB, &rule);
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open_as(model, 0, "a", 1);
    model_open_as(model, 1, "a", 1);
    model_open_as(model, 2, "b", 2);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 60000));
    granted(model_acquire(model, 2, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 1);
    cr_expect_eq(model_events(model, 2, EVENT_TRIM), 0, "what it gives back would not help");
    model_free(model);
}

Test(making_room, a_waiting_request_asks_again_and_sessions_that_gave_nothing_half_as_often)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    struct request trimmed = {.kind = REQUEST_TRIMMED};
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 4 * MIB, 300000));
    uint64_t request = model->next_request;
    model_request(model, 0, &trimmed);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 1);
    for (int i = 0; i < 7; i++) {
        model_pass(model, 250);
    }
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 1);
    model_pass(model, 250);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 2);
    model_pass(model, 150);
    refused(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0),
            ERROR_LIMIT); /* another request waits ahead of it anyway */
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 2);
    model_release(model, 0, lease); /* now it can */
    granted(model_answer(model, request));
    model_free(model);
}

Test(making_room, the_largest_holder_is_asked_wherever_it_is_in_the_list)
{
    struct model *model = model_new(0, 12 * MIB, 0);
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    for (int peer = 0; peer < 11; peer++) {
        model_open(model, peer, LIMIT_DEFAULT);
        granted(model_acquire(model, peer, peer == 10 ? 2 * MIB : MIB, LOCATION_RAM, 60000));
    }
    model_open(model, 12, LIMIT_DEFAULT);
    cr_expect_null(model_acquire_waiting(model, 12, 12 * MIB, 30000));
    cr_expect_eq(model_events(model, 10, EVENT_TRIM), 1);
    cr_expect_eq(model_events(model, 6, EVENT_TRIM), 1);
    cr_expect_eq(model_events(model, 7, EVENT_TRIM), 0);
    model_free(model);
}

Test(making_room, a_pass_examines_few_sessions_to_ask)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 60000));
    for (int i = 0; i < 10; i++) {
        cr_expect_null(model_acquire_waiting(model, 1, 4 * MIB, 300000));
    }
    model->options.settings.queue.trim_ms = 100;
    model_configure(model);
    model_pass(model, 1200);
    cr_expect_eq(model->broker->trim_looks, 4);
    cr_expect_eq(model_events(model, 0, EVENT_TRIM), 1);
    model_free(model);
}

/* ---- pressure ---- */

Test(making_room, under_pressure_grants_of_ram_pause_and_the_pool_is_dropped)
{
    struct model *model = model_new(0, 16 * MIB, 64 * MIB);
    model->options.settings.pause_at = PRESSURE_FULL;
    model->options.settings.pool = (struct pool_settings){.bytes = 4 * MIB, .sizes = {.bytes = {MIB}, .count = 1}};
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    cr_expect_eq(model_status(model).pooled_bytes, MIB);
    struct input some = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_SOME};
    struct input full = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_FULL};
    struct input none = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_NONE};
    model_feed(model, &some);
    cr_expect_eq(model_status(model).pooled_bytes, 0);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    model_feed(model, &full);
    const struct reply *reply = refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect_not_null(strstr(reply->error.sentence, "pause_ram_at"));
    cr_expect_eq(model_acquire(model, 0, MIB, LOCATION_AUTO, 0)->grant.location, LOCATION_MMAP);
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    uint64_t request = model->next_request;
    model_feed(model, &none);
    granted(model_answer(model, request));
    model_free(model);
}

/* ---- remembered sizes ---- */

static const struct reply *acquire_learned(struct model *model, int peer, uint64_t bytes, bool learned, bool use)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes,
                                               .location = LOCATION_RAM,
                                               .name = "activations",
                                               .numa_node = -1,
                                               .learned = learned,
                                               .use_learned = use};
    return model_request(model, peer, &request);
}

Test(making_room, a_learned_size_is_offered_to_the_next_of_that_name_and_user)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open_as(model, 0, "train", 1);
    cr_expect_eq(acquire_learned(model, 0, 0, false, true)->kind, REPLY_DONE, "nothing is remembered yet");
    granted(acquire_learned(model, 0, 3 * MIB, true, false));
    struct input died = {.kind = INPUT_DIED, .session = model->peers[0].session};
    model_feed(model, &died);
    model_open_as(model, 1, "train", 1);
    model_open_as(model, 2, "train", 2);
    const struct reply *reply = acquire_learned(model, 1, 0, false, true);
    granted(reply);
    cr_expect_eq(reply->grant.bytes, 3 * MIB);
    cr_expect(reply->grant.is_remembered);
    cr_expect_eq(acquire_learned(model, 2, 0, false, true)->kind, REPLY_DONE, "another user learns for itself");
    cr_expect_eq(acquire_learned(model, 2, MIB, false, true)->grant.bytes, MIB);
    cr_expect_eq(model_status(model).remembered, 1);
    model_free(model);
}

Test(making_room, the_table_of_learned_sizes_is_bounded)
{
    struct learned_table table;
    learned_table_init(&table);
    for (uint32_t i = 0; i < LEARNED_MAX + 10; i++) {
        const struct learned_key key = {.uid = i, .workspace = "w"};
        learned_note(&table, &key, 100 + i);
        const struct learned_key first = {.uid = 0, .workspace = "w"};
        cr_assert_eq(learned_recall(&table, &first), 100, "what is used is not forgotten");
    }
    cr_expect_eq(table.count, LEARNED_MAX);
    const struct learned_key second = {.uid = 1, .workspace = "w"};
    cr_expect_eq(learned_recall(&table, &second), 0);
    learned_table_deinit(&table);
}

static void learn_many(struct learned_table *table, uint32_t uid, int count)
{
    for (int i = 0; i < count; i++) {
        struct learned_key key = {.uid = uid};
        (void)snprintf(key.workspace, sizeof key.workspace, "w%d", i);
        learned_note(table, &key, MIB);
    }
}

Test(making_room, a_user_that_learns_too_many_sizes_loses_its_own)
{
    struct learned_table table;
    const struct learned_key first = {.uid = 2, .workspace = "w0"}, last = {.uid = 1, .workspace = "w9999"};
    learned_table_init(&table);
    learn_many(&table, 2, 100);
    learn_many(&table, 1, 10000);
    cr_expect_eq(table.count, LEARNED_MAX);
    cr_expect_eq(learned_recall(&table, &first), MIB);
    cr_expect_eq(learned_recall(&table, &last), MIB);
    learn_many(&table, 2, 5000);
    const struct learned_size *size;
    size_t of_first = 0;
    TAILQ_FOREACH(size, &table.by_use, by_use) {
        of_first += size->key.uid == 1;
    }
    cr_expect_eq(of_first, LEARNED_MAX / 2, "%zu", of_first);
    learned_table_deinit(&table);
}

/* ---- why ---- */

Test(making_room, why_names_the_limit_its_holders_and_the_earliest_time)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    struct why_entry why[4];
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 10000));
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 40000));
    cr_expect_null(model_acquire_waiting(model, 1, 6 * MIB, 60000));
    model_pass(model, 4000);
    cr_expect_eq(broker_explain(model->broker, &model_root, 0, model->now, why, 4), 1);
    cr_expect(why[0].waits);
    cr_expect_eq(why[0].since_ms, 4000);
    cr_expect_eq(why[0].earliest_ms, 36000, "both leases must end");
    cr_expect_str_eq(why[0].refusal.limit, "max_physical_bytes");
    cr_expect_eq(why[0].refusal.holders[0].bytes, 8 * MIB);
    refused(model_acquire(model, 1, 9 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_eq(broker_explain(model->broker, &model_root, model->peers[1].session, model->now, why, 4), 2);
    cr_expect_not(why[1].waits);
    cr_expect_eq(why[1].earliest_ms, UINT64_MAX, "it never fits");
    model_free(model);
}

Test(making_room, why_drops_old_refusals_and_names_the_limit_now)
{
    struct policy_rule rule = one_rule(PRINCIPAL_GROUP, "hpc");
    rule.id = 0; /* every user's here */
    rule.quota.limits.max_bytes = MIB;
    struct model *model = with_rule(64 * MIB, &rule);
    struct why_entry why[4];
    const struct identity stranger = {.pid = 9, .uid = 4711, .gid = 4711};
    model_open_as(model, 0, "", 1);
    uint64_t session = model->peers[0].session;
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    const struct reply *reply = refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(strstr(reply->error.sentence, " unnamed (pid "), "%s", reply->error.sentence);
    cr_assert_eq(broker_explain(model->broker, &model_root, session, model->now, why, 4), 1);
    cr_expect_str_eq(why[0].refusal.whose, "group hpc");
    cr_expect_eq(why[0].refusal.holder_count, 1);
    cr_expect_eq(broker_explain(model->broker, &stranger, session, model->now, why, 4), 0, "not everybody's business");
    model_configure(model); /* without the rule */
    cr_assert_eq(broker_explain(model->broker, &model_root, session, model->now, why, 4), 1);
    cr_expect_str_eq(why[0].refusal.whose, "host");
    cr_expect_eq(why[0].refusal.free_bytes, 63 * MIB);
    cr_expect_eq(why[0].earliest_ms, 0);
    model->now += 600 * NANOSECONDS_PER_SECOND;
    cr_expect_eq(broker_explain(model->broker, &model_root, session, model->now, why, 4), 0);
    model_free(model);
}
