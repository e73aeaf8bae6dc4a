/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that are made while the broker runs: their members, their end, and what is shown of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/restore.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/reserving.h"

TestSuite(reservations);

/* A path of this many bytes, whose names are as long as they may be. */
static void long_path(char *to, size_t length, char first)
{
    for (size_t i = 0; i < length; i++) {
        to[i] = i % 200 == 0 ? '/' : i == 1 ? first : 'x';
    }
    (void)strcpy(to + length, "\n");
}

Test(reservations, sessions_that_are_there_become_members_and_go_before_slices)
{
    struct model *model = hundred();
    model->options.settings.policy = &model_policy;
    model_configure(model);
    model_open_in(model, 0, "x", "/jobs.slice/jobs-7.slice\n");
    granted(model_acquire(model, 0, 5 * MIB, LOCATION_RAM, 0));
    expect_class(model, 0, "c", CLASS_RULE_SLICES);
    cr_expect_eq(reserve(model, "job", 8 * MIB, ""), 0);
    cr_expect_eq(attach(model, "job", "/jobs.slice\n"), 0);
    expect_class(model, 0, "job", CLASS_RULE_RESERVATION);
    cr_expect_eq(refused(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal.used_bytes,
                 5 * MIB);
    model->options.settings.policy = NULL;
    model_configure(model);
    expect_class(model, 0, "job", CLASS_RULE_RESERVATION);
    model_free(model);
}

Test(reservations, what_they_may_have_in_all_is_told)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "c");
    struct policy policy = {.rules = &rule, .rule_count = 1};
    struct model *model = hundred();
    rule.quota.reserve_bytes = 30 * MIB;
    cr_expect_eq(model_status(model).reservable_bytes, 100 * MIB);
    cr_expect_eq(reserve(model, "job", 8 * MIB, ""), 0);
    cr_expect_eq(model_status(model).reservable_bytes, 100 * MIB, "it does not depend on those that are there");
    model->options.settings.policy = &policy;
    model_configure(model);
    cr_expect_eq(model_status(model).reservable_bytes, 70 * MIB);
    model->options.settings.reservations.bytes_max = 60 * MIB;
    model_configure(model);
    cr_expect_eq(model_status(model).reservable_bytes, 60 * MIB);
    model->options.settings.limits.max_bytes = 80 * MIB;
    model_configure(model);
    cr_expect_eq(model_status(model).reservable_bytes, 50 * MIB);
    model->options.settings.limits = (struct byte_limits){LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    model->options.settings.reservations.bytes_max = LIMIT_OFF;
    model_configure(model);
    cr_expect_eq(model_status(model).reservable_bytes, LIMIT_OFF);
    model->options.settings.policy = NULL;
    model_configure(model);
    model_free(model);
}

Test(reservations, one_that_is_given_up_loses_everything_and_gets_nothing)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    model_open_in(model, 1, "out", "/\n");
    granted(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 0, 20 * MIB, LOCATION_RAM, 0));
    uint64_t others = granted(model_acquire(model, 1, 60 * MIB, LOCATION_RAM, 0));
    model_forget(model);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 2);
    cr_expect_eq(model->slot_reason, END_REVOKED);
    cr_expect_eq(model_status(model).used_physical_bytes, 60 * MIB);
    cr_expect_str_eq(refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY)->error.sentence,
                     "reservation job was given up: processes that are left in its control groups get no memory.");
    cr_expect(model->ended.cause.is_reservation && strcmp(model->ended.cause.client, "job") == 0);
    granted(model_acquire(model, 1, 40 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_release(model, 1, others)->kind, REPLY_DONE);
    model_open_in(model, 2, "late", "/job/child\n");
    refused(model_acquire(model, 2, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
    empty(model, "job");
    expect_class(model, 2, "default", CLASS_RULE_DEFAULT);
    granted(model_acquire(model, 2, MIB, LOCATION_RAM, 0));
    model_free(model);
}

Test(reservations, a_lease_that_is_being_made_is_answered_and_then_revoked)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_neq(broker_next_wakeup(model->broker), 0, "there is nothing to do before it is made");
    model_finish(model);
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_eq(model_status(model).used_physical_bytes, 0);
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 1);
    model_free(model);
}

/* More leases than the effects of one step hold: the rest follows immediately. */
Test(reservations, many_leases_end_in_several_steps)
{
    enum { LEASES = 150 };
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    for (int i = 0; i < LEASES; i++) {
        granted(model_acquire(model, 0, 4096, LOCATION_RAM, 0));
    }
    model->hold_frees = true; /* or their results would be steps as well */
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_gt(model_status(model).leases, 0);
    cr_expect_eq(broker_next_wakeup(model->broker), 0);
    for (int i = 0; i < 10 && broker_next_wakeup(model->broker) == 0; i++) {
        model_pass(model, 0);
    }
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_neq(broker_next_wakeup(model->broker), 0);
    model_finish(model);
    model_free(model);
}

Test(reservations, one_that_expires_is_given_up)
{
    struct model *model = hundred();
    struct request request = to_reserve("job", 40 * MIB, "/job\n");
    request.reserve.terms.expires_ms = 5000;
    cr_expect_eq(entry_of(model, "job").reservation, 0);
    struct request second = to_reserve("second", MIB, "/second\n");
    second.reserve.terms.expires_ms = 5000;
    cr_expect_eq(ask(model, second), 0);
    cr_expect_eq(ask(model, request), 0);
    cr_expect_eq(reserve(model, "other", MIB, "/other\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    model_pass(model, 4000);
    cr_expect_eq(ask(model, request), 0);
    cr_expect_eq(entry_of(model, "job").remaining_ms, 1000, "the same again extends nothing");
    cr_expect_eq(entry_of(model, "other").remaining_ms, UINT64_MAX);
    cr_expect_eq(broker_next_wakeup(model->broker), model->now + NANOSECONDS_PER_SECOND);
    model_pass(model, 1000);
    cr_expect(entry_of(model, "job").is_over && entry_of(model, "second").is_over);
    cr_expect_not(entry_of(model, "other").is_over);
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_gt(broker_next_wakeup(model->broker), model->now);
    model_free(model);
}

/* Whatever allocation fails: it is done whole, or it is answered that it is not, and nothing has changed. */
Test(reservations, without_memory_nothing_is_half_done)
{
    struct model *model = hundred();
    struct request requests[] = {to_reserve("job", 40 * MIB, "/job\n/more\n"), {0}, {0}};
    model_open_in(model, 0, "in", "/job\n");
    for (size_t i = 0; i < 3; i++) {
        long number = 1;
        if (i == 1) {
            requests[i] = to_attach("job", "/job/step\n/other\n");
        } else if (i == 2) {
            requests[i] = to_unreserve("job");
        } else {
            requests[i] = to_reserve("job", 40 * MIB, "/job\n/more\n");
        }
        for (const struct reply *reply = NULL; !reply || reply->kind != REPLY_DONE; number++) {
            cr_assert_lt(number, 100);
            exhaustion_arm(number);
            reply = ask_as(model, &requests[i], 0);
            exhaustion_arm(0);
            cr_expect(reply->kind == REPLY_DONE || reply->error.code == ERROR_SYSTEM);
        }
        cr_expect_gt(number, 3, "none of its allocations failed");
    }
    uint64_t job = entry_of(model, "job").reservation;
    cr_expect_eq(reserve(model, "after", MIB, ""), 0);
    for (long number = 1; entry_of(model, "job").reservation; number++) {
        cr_assert_lt(number, 100);
        exhaustion_arm(number);
        empty_number(model, job);
        exhaustion_arm(0);
    }
    cr_expect(entry_of(model, "after").reservation);
    model_free(model);
}

Test(reservations, one_that_can_not_expire_for_want_of_memory_does_so_later)
{
    struct model *model = hundred();
    struct request request = to_reserve("job", 40 * MIB, "/job\n");
    const struct input tick = {.kind = INPUT_TICK};
    request.reserve.terms.expires_ms = 1000;
    cr_expect_eq(ask(model, request), 0);
    model->now += NANOSECONDS_PER_SECOND;
    exhaustion_arm(1);
    model_feed(model, &tick);
    exhaustion_arm(0);
    cr_expect_not(entry_of(model, "job").is_over);
    model_pass(model, 1000);
    cr_expect(entry_of(model, "job").is_over);
    model_free(model);
}

/* One change of the policy for all of them, whatever allocation fails. */
Test(reservations, those_that_expire_at_the_same_time_do_so_together)
{
    struct model *model = hundred();
    static const char *const names[] = {"over", "a", "b"};
    const struct input tick = {.kind = INPUT_TICK};
    for (size_t i = 0; i < 3; i++) {
        struct request request = to_reserve(names[i], MIB, "");
        request.reserve.terms.expires_ms = 1000;
        cr_expect_eq(ask(model, request), 0);
    }
    cr_expect_eq(reserve(model, "living", MIB, ""), 0);
    cr_expect_eq(unreserve(model, "over"), 0);
    long number = 0;
    do {
        model->now += NANOSECONDS_PER_SECOND;
        exhaustion_arm(++number);
        model_feed(model, &tick);
        exhaustion_arm(0);
        cr_expect(entry_of(model, "over").is_over);
        cr_assert_eq(entry_of(model, "a").is_over, entry_of(model, "b").is_over);
        cr_assert_eq(broker_next_wakeup(model->broker),
                     entry_of(model, "a").is_over ? UINT64_MAX : model->now + NANOSECONDS_PER_SECOND);
    } while (!entry_of(model, "a").is_over);
    cr_expect_gt(number, 1, "none of its allocations failed");
    model_free(model);
}

Test(reservations, who_may_see_which)
{
    struct model *model = hundred();
    struct reservation_entry entries[3];
    bool more;
    struct policy policy = {.access = {.reserve_users = {1, {1001}}}};
    struct request request = to_reserve("own", MIB, "/own\n");
    const struct identity helper = {.uid = 1001}, owner = {.uid = 1002}, other = {.uid = 1003};
    request.reserve.terms.has_uid = true;
    request.reserve.terms.uid = 1002;
    model->options.settings.policy = &policy;
    model_configure(model);
    cr_expect_eq(reserve(model, "any", MIB, "/any\n"), 0);
    cr_expect_eq(ask(model, request), 0);
    cr_expect_eq(broker_list_reservations(model->broker, &model_root, 0, 0, entries, 3, &more), 2);
    cr_expect_eq(broker_list_reservations(model->broker, &helper, 0, 0, entries, 3, &more), 2);
    cr_expect_eq(broker_list_reservations(model->broker, &other, 0, 0, entries, 3, &more), 0);
    cr_expect_eq(broker_list_reservations(model->broker, &owner, 0, 0, entries, 3, &more), 1);
    cr_expect_str_eq(entries[0].name, "own");
    cr_expect_eq(broker_list_reservations(model->broker, &model_root, 0, 0, entries, 1, &more), 1);
    cr_expect(more);
    cr_expect_eq(broker_list_reservations(model->broker, &model_root, entries[0].reservation, 0, entries, 1, &more), 1);
    cr_expect(!more && strcmp(entries[0].name, "own") == 0);
    policy.access.see_all = true;
    model_configure(model);
    cr_expect_eq(broker_list_reservations(model->broker, &other, 0, 0, entries, 3, &more), 2);
    model_free(model);
}

Test(reservations, a_page_ends_where_the_paths_are_long)
{
    struct model *model = hundred();
    static struct reservation_entry entries[MESSAGE_RESERVATIONS_MAX];
    static char text[4 * CONTROL_GROUPS_SIZE];
    bool more;
    for (char i = 0; i < 5; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        for (char j = 0; j < 3; j++) {
            long_path(text + j * (CONTROL_GROUPS_SIZE - 1), CONTROL_GROUPS_SIZE - 2, (char)('0' + 3 * i + j));
        }
        cr_expect_eq(reserve(model, name, MIB, text), 0);
    }
    size_t count = broker_list_reservations(model->broker, &model_root, 0, 0, entries, MESSAGE_RESERVATIONS_MAX, &more);
    cr_expect_eq(count, 3);
    cr_expect(more);
    model_free(model);
}

/* The last of the paths is so long that one byte more would end the page. */
Test(reservations, a_page_goes_on_until_the_paths_reach_its_bytes)
{
    enum { LONGEST = CONTROL_GROUPS_SIZE - 2, HEAD = 4, LONG_ONES = 7 };
    struct model *model = hundred();
    static struct reservation_entry entries[MESSAGE_RESERVATIONS_MAX];
    static char text[CONTROL_GROUPS_SIZE];
    const char *names[] = {"a", "a", "a", "b", "b", "b", "c"};
    bool more;
    for (int i = 0; i < LONG_ONES; i++) {
        long_path(text, LONGEST, (char)('0' + i));
        cr_expect_eq(i % 3 == 0 ? reserve(model, names[i], MIB, text) : attach(model, names[i], text), 0);
    }
    long_path(text, MESSAGE_PAGE_PATH_BYTES - 1 - LONG_ONES * (LONGEST + HEAD) - HEAD, 'y');
    cr_expect_eq(attach(model, "c", text), 0);
    cr_expect_eq(reserve(model, "d", MIB, "/z\n"), 0);
    cr_expect_eq(broker_list_reservations(model->broker, &model_root, 0, 0, entries, MESSAGE_RESERVATIONS_MAX, &more),
                 4);
    cr_expect_not(more);
    model_free(model);
}

Test(reservations, those_that_were_given_up_are_told)
{
    struct model *model = hundred();
    struct reservation_groups given_up;
    cr_expect_eq(reserve(model, "a", MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "b", MIB, "/b\n/c\n"), 0);
    cr_expect_not(broker_next_given_up(model->broker, 0, &given_up));
    cr_expect_eq(unreserve(model, "b"), 0);
    cr_expect(broker_next_given_up(model->broker, 0, &given_up));
    cr_expect(given_up.control_group_count == 2 && strcmp(given_up.control_groups[1], "/c") == 0);
    cr_expect_not(broker_next_given_up(model->broker, given_up.reservation, &given_up));
    uint64_t a = entry_of(model, "a").reservation;
    empty_number(model, a);
    cr_expect(entry_of(model, "a").reservation, "it was not given up");
    cr_expect_eq(unreserve(model, "a"), 0);
    empty_number(model, a);
    empty_number(model, a);
    cr_expect(entry_of(model, "b").reservation, "another one is asked for");
    empty_number(model, 0);
    empty_number(model, 99);
    model_free(model);
}

/* Whatever allocation fails. One that was not given up stays, and so does one that is not named. */
Test(reservations, those_that_are_empty_go_together)
{
    struct model *model = hundred();
    static const char *const names[] = {"a", "living", "b", "c"};
    uint64_t numbers[5] = {99};
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(reserve(model, names[i], MIB, ""), 0);
        cr_expect(i == 1 || unreserve(model, names[i]) == 0);
        numbers[i + 1] = entry_of(model, names[i]).reservation;
    }
    const struct input emptied = {.kind = INPUT_EMPTIED, .emptied = {numbers, 4}};
    long number = 0;
    do {
        exhaustion_arm(++number);
        model_feed(model, &emptied);
        exhaustion_arm(0);
        cr_assert_eq(entry_of(model, "a").reservation != 0, entry_of(model, "b").reservation != 0);
    } while (entry_of(model, "a").reservation);
    cr_expect_gt(number, 1, "none of its allocations failed");
    cr_expect(entry_of(model, "living").reservation && entry_of(model, "c").reservation);
    model_free(model);
}

Test(reservations, a_configuration_that_contradicts_them_is_not_accepted)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "fixed");
    struct policy policy = {.rules = &rule, .rule_count = 1};
    struct model *model = hundred();
    struct broker_settings settings = model->options.settings;
    char sentence[MESSAGE_SENTENCE_SIZE];
    settings.policy = &policy;
    settings.limits.max_bytes = 60 * MIB;
    rule.quota.reserve_bytes = 70 * MIB;
    cr_expect(broker_accepts(model->broker, &settings, sentence), "without reservations the configuration says it");
    rule.quota.reserve_bytes = 20 * MIB;
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    cr_expect(broker_accepts(model->broker, &settings, sentence));
    rule.quota.reserve_bytes = 21 * MIB;
    cr_expect_not(broker_accepts(model->broker, &settings, sentence));
    cr_expect(strstr(sentence, "is 60 MiB in the configuration, and its reserve_bytes are 21 MiB, but reservations "
                               "have 40 MiB"),
              "%s", sentence);
    rule.quota.reserve_bytes = 0;
    (void)strcpy(rule.name, "job");
    cr_expect_not(broker_accepts(model->broker, &settings, sentence));
    cr_expect(strstr(sentence, "[class job] has the name of a reservation"), "%s", sentence);
    model_free(model);
}

/* A request that waits is refused when its reservation is given up. */
Test(reservations, requests_that_wait_end_with_it)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 4 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    granted(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 60000));
    cr_expect_null(model_acquire_waiting(model, 0, 2 * MIB, 60000));
    uint64_t waiting = model->next_request;
    cr_expect_eq(unreserve(model, "job"), 0);
    model_pass(model, 0);
    refused(model_answer(model, waiting), ERROR_TOO_MANY);
    model_free(model);
}

Test(reservations, a_restart_keeps_them_as_they_were)
{
    struct model *model = hundred();
    struct request request = to_reserve("job", 40 * MIB, "/job\n");
    request.reserve.terms.expires_ms = 9000;
    cr_expect_eq(ask(model, request), 0);
    cr_expect_eq(attach(model, "job", "/more\n"), 0);
    cr_expect_eq(reserve(model, "over", 10 * MIB, "/over\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_eq(unreserve(model, "over"), 0);
    model_pass(model, 2000);
    model_restart(model);
    cr_expect_eq(entry_of(model, "job").remaining_ms, 7000);
    cr_expect_eq(entry_of(model, "job").control_group_count, 2);
    cr_expect(entry_of(model, "over").is_over);
    cr_expect_eq(ask(model, request), 0, "what was attached is still no other wish");
    cr_expect_eq(reserve(model, "over", 10 * MIB, "/over\n"), ERROR_BUSY);
    cr_expect_eq(reserve(model, "rest", 61 * MIB, ""), ERROR_LIMIT);
    model_free(model);
}

Test(reservations, revoking_goes_on_after_a_restart)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    for (int i = 0; i < 150; i++) {
        granted(model_acquire(model, 0, 4096, LOCATION_RAM, 60000));
    }
    model->hold_frees = true;
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_gt(model_status(model).leases, 0);
    model->hold_frees = false;
    model_restart(model); /* and the processes are where they were */
    model_pass(model, 0);
    for (int i = 0; i < 10 && broker_next_wakeup(model->broker) == 0; i++) {
        model_pass(model, 0);
    }
    cr_expect_eq(model_status(model).leases, 0);
    model_free(model);
}

Test(reservations, what_can_not_have_been_kept_is_not_restored)
{
    struct model *model = hundred();
    const char *paths[MESSAGE_PATHS_MAX + 1] = {"/a", "/b"}, *same[] = {"/a", "/a"}, *bad[] = {"a"}, *much[5];
    static char names[MESSAGE_PATHS_MAX + 1][8], deep[5][CONTROL_GROUPS_SIZE];
    struct kept_reservation kept = {.terms = {.name = "job"}, .groups = {paths, 2}, .first_count = 3};
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL);
    kept = (struct kept_reservation){.groups = {paths, 2}};
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL, "it has no name");
    memset(kept.terms.name, 'x', POLICY_NAME_SIZE);
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL, "its name is too long");
    kept = (struct kept_reservation){.terms = {.name = "job"}, .groups = {same, 2}};
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL);
    kept.groups = (struct control_group_list){bad, 1};
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL);
    for (size_t i = 0; i <= MESSAGE_PATHS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "/p%zu", i);
        paths[i] = names[i];
    }
    kept.groups = (struct control_group_list){paths, MESSAGE_PATHS_MAX + 1};
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL);
    for (char i = 0; i < 5; i++) {
        long_path(deep[(int)i], CONTROL_GROUPS_SIZE - 2, (char)('a' + i));
        deep[(int)i][CONTROL_GROUPS_SIZE - 2] = '\0';
        much[(int)i] = deep[(int)i];
    }
    kept.groups = (struct control_group_list){much, 5};
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL);
    kept.groups = (struct control_group_list){paths, 2};
    long number = 0;
    int result;
    do {
        exhaustion_arm(++number);
        result = broker_restore_reservation(model->broker, &kept, 0);
        exhaustion_arm(0);
        cr_assert(result == 0 || result == -ENOMEM);
    } while (result < 0);
    cr_expect_gt(number, 3);
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EINVAL, "its groups are another one's");
    kept.groups.count = 0;
    cr_expect_eq(broker_restore_reservation(model->broker, &kept, 0), -EEXIST);
    model_free(model);
}
