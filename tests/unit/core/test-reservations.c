/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that are made while the broker runs: their guarantee and limit, their members, and their end. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/reservation.h"
#include "tests/unit/core/sharing.h"

TestSuite(reservations);

static uint64_t next_request = 1000;

static struct input asking(enum input_kind kind, const char *name, uint64_t bytes, const char *paths)
{
    struct input input = {.kind = kind, .peer = (void *)(uintptr_t)MODEL_PEERS}; /* the last one, a monitor */
    input.reservation = (struct input_reservation){
        .request_id = ++next_request, .identity = {.pid = 1}, .terms = {.bytes = bytes}, .paths = paths};
    (void)stpncpy(input.reservation.terms.name, name, POLICY_NAME_SIZE - 1);
    return input;
}

/* The error's code, or 0. */
static enum error_code ask(struct model *model, struct input input)
{
    model_feed(model, &input);
    const struct reply *reply = model_answer(model, input.reservation.request_id);
    cr_assert(reply, "there is no answer");
    return reply->kind == REPLY_DONE ? ERROR_UNSPECIFIED : reply->error.code;
}

static enum error_code reserve(struct model *model, const char *name, uint64_t bytes, const char *paths)
{
    return ask(model, asking(INPUT_RESERVE, name, bytes, paths));
}

static enum error_code attach(struct model *model, const char *name, const char *paths)
{
    return ask(model, asking(INPUT_ATTACH, name, 0, paths));
}

static enum error_code unreserve(struct model *model, const char *name)
{
    return ask(model, asking(INPUT_UNRESERVE, name, 0, ""));
}

static void empty(struct model *model, const char *name)
{
    struct input input = asking(INPUT_EMPTIED, name, 0, "");
    model_feed(model, &input);
}

static const char *last_sentence(const struct model *model)
{
    return model->replies[model->reply_count - 1].error.sentence;
}

static void expect_class(struct model *model, int peer, const char *class, enum class_rule rule)
{
    struct session_entry entry = {0};
    bool more;
    cr_assert_eq(broker_list_sessions(model->broker, &model_root, model->peers[peer].session - 1, &entry, 1, &more), 1);
    cr_expect_str_eq(entry.class, class);
    cr_expect_eq(entry.class_rule, rule);
}

static struct model *hundred(void)
{
    return model_new(0, 100 * MIB, 100 * MIB);
}

Test(reservations, bytes_are_guaranteed_and_are_the_limit)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job/step\n");
    model_open_in(model, 1, "out", "/jobs\n");
    expect_class(model, 0, "job", CLASS_RULE_RESERVATION);
    expect_class(model, 1, "default", CLASS_RULE_DEFAULT);
    cr_expect_eq(refused(model_acquire(model, 1, 61 * MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal.reserved_bytes,
                 40 * MIB);
    granted(model_acquire(model, 1, 60 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 0, 40 * MIB, LOCATION_RAM, 0));
    const struct reply *reply = refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect_str_eq(reply->error.refusal.whose, "reservation job");
    refused(model_acquire(model, 0, MIB, LOCATION_MMAP, 0), ERROR_LIMIT);
    model_free(model);
}

Test(reservations, the_same_again_is_done_and_another_is_busy)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0);
    cr_expect_eq(reserve(model, "job", 41 * MIB, "/job\n"), ERROR_BUSY);
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/other\n"), ERROR_BUSY);
    cr_expect_eq(reserve(model, "other", MIB, "/job\n"), ERROR_BUSY, "one group, two reservations");
    cr_expect(strstr(last_sentence(model), "belongs to the reservation job"), "%s", last_sentence(model));
    cr_expect_eq(attach(model, "job", "/more\n"), 0);
    cr_expect_eq(attach(model, "job", "/more\n"), 0);
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), 0, "what was attached is no other wish");
    cr_expect_eq(attach(model, "nobody", "/x\n"), ERROR_INVALID);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(unreserve(model, "nobody"), 0);
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), ERROR_BUSY, "until its groups are empty");
    cr_expect_eq(attach(model, "job", "/x\n"), ERROR_INVALID);
    empty(model, "job");
    cr_expect_eq(reserve(model, "job", 41 * MIB, "/job\n"), 0);
    model_free(model);
}

Test(reservations, guarantees_beyond_the_limit_are_refused_with_figures)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "fixed");
    rule.quota.reserve_bytes = 30 * MIB;
    struct model *model = with_rule(100 * MIB, &rule);
    cr_expect_eq(reserve(model, "a", 50 * MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "b", 21 * MIB, "/b\n"), ERROR_LIMIT);
    cr_expect(strstr(last_sentence(model), "asks for 21 MiB, but of the 100 MiB of RAM that the broker may lend 80 MiB "
                                           "are reserved already: 20 MiB are left"),
              "%s", last_sentence(model));
    cr_expect_eq(reserve(model, "b", UINT64_MAX, "/b\n"), ERROR_LIMIT);
    cr_expect_eq(reserve(model, "b", 20 * MIB, "/b\n"), 0);
    cr_expect_eq(reserve(model, "fixed", MIB, "/c\n"), ERROR_BUSY);
    cr_expect_eq(reserve(model, "default", 0, "/c\n"), ERROR_BUSY);
    cr_expect_eq(unreserve(model, "a"), 0);
    cr_expect_eq(reserve(model, "c", 50 * MIB, "/c\n"), 0, "a guarantee ends immediately");
    model_free(model);
}

Test(reservations, only_administrators_may)
{
    struct model *model = hundred();
    static const enum input_kind kinds[] = {INPUT_RESERVE, INPUT_ATTACH, INPUT_UNRESERVE};
    cr_expect_eq(reserve(model, "job", MIB, "/job\n"), 0);
    for (size_t i = 0; i < 3; i++) {
        struct input input = asking(kinds[i], "job", MIB, "/job\n");
        input.reservation.identity.uid = 1000;
        cr_expect_eq(ask(model, input), ERROR_NOT_PERMITTED);
    }
    model_free(model);
}

Test(reservations, paths_are_checked)
{
    struct model *model = hundred();
    static const char *const bad[] = {"/\n", "job\n", "/a//b\n", "/a/\n", "/../a\n", "/a/.\n", "/good\n/\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(reserve(model, "job", MIB, bad[i]), ERROR_INVALID, "%s", bad[i]);
    }
    char many[RESERVATION_PATHS_MAX * 8 + 16] = "";
    for (int i = 0; i <= RESERVATION_PATHS_MAX; i++) {
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "/p%d\n", i);
    }
    cr_expect_eq(reserve(model, "job", MIB, many), ERROR_TOO_MANY);
    cr_expect_eq(reserve(model, "job", MIB, "/a*\n"), 0);
    model_open_in(model, 0, "in", "/ab\n");
    model_open_in(model, 1, "in", "/a*/x\n");
    expect_class(model, 0, "default", CLASS_RULE_DEFAULT);
    expect_class(model, 1, "job", CLASS_RULE_RESERVATION);
    model_free(model);
}

Test(reservations, one_may_be_for_one_user_alone)
{
    struct model *model = hundred();
    struct input input = asking(INPUT_RESERVE, "job", MIB, "/job\n");
    input.reservation.terms.has_uid = true;
    input.reservation.terms.uid = 1001;
    cr_expect_eq(ask(model, input), 0);
    model_open_in(model, 0, "other", "/job\n");
    model_open_in(model, 1, "own", "/job\n");
    expect_class(model, 0, "default", CLASS_RULE_DEFAULT);
    expect_class(model, 1, "job", CLASS_RULE_RESERVATION);
    model_free(model);
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
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_TOO_MANY);
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
    cr_expect_eq(unreserve(model, "job"), 0);
    for (int i = 0; i < 10 && broker_next_wakeup(model->broker) == 0; i++) {
        model_pass(model, 0);
    }
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_neq(broker_next_wakeup(model->broker), 0);
    model_free(model);
}
