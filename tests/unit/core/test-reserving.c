/* SPDX-License-Identifier: Apache-2.0 */
/* Making reservations: what is checked, and what is the same again. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/core/reserving.h"

TestSuite(reserving);

Test(reserving, bytes_are_guaranteed_and_are_the_limit)
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
    cr_expect_str_eq(reply->error.refusal.limit, "max_physical_bytes");
    cr_expect(strstr(reply->error.sentence, "let the request wait, release leases, or reserve more."), "%s",
              reply->error.sentence);
    refused(model_acquire(model, 0, MIB, LOCATION_MMAP, 0), ERROR_LIMIT);
    model_free(model);
}

Test(reserving, the_same_again_is_done_and_another_is_busy)
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
    cr_expect_eq(attach(model, "nobody", "/x\n"), ERROR_NO_SUCH_RESERVATION);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(unreserve(model, "nobody"), 0);
    cr_expect_eq(reserve(model, "job", 40 * MIB, "/job\n"), ERROR_BUSY, "until its groups are empty");
    cr_expect_eq(attach(model, "job", "/x\n"), ERROR_NO_SUCH_RESERVATION);
    cr_expect_eq(reserve(model, "other", MIB, "/job\n"), ERROR_BUSY);
    cr_expect(strstr(last_sentence(model), "job, which was given up; wait until no process is left in it"), "%s",
              last_sentence(model));
    empty(model, "job");
    cr_expect_eq(reserve(model, "job", 41 * MIB, "/job\n"), 0);
    model_free(model);
}

Test(reserving, guarantees_beyond_the_limit_are_refused_with_figures)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, "fixed");
    rule.quota.reserve_bytes = 30 * MIB;
    struct model *model = with_rule(100 * MIB, &rule);
    cr_expect_eq(reserve(model, "a", 50 * MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "b", 21 * MIB, "/b\n"), ERROR_LIMIT);
    cr_expect(strstr(last_sentence(model),
                     "asks for 21 MiB of RAM, but the host's max_physical_bytes is 100 MiB, and 80 MiB of "
                     "that are reserved already: 20 MiB are left"),
              "%s", last_sentence(model));
    const struct refusal *refusal = &model->replies[model->reply_count - 1].error.refusal;
    cr_expect(strcmp(refusal->whose, "host") == 0 && refusal->limit_kind == LIMIT_KIND_PHYSICAL_BYTES);
    cr_expect(refusal->reserved_bytes == 80 * MIB && refusal->free_bytes == 20 * MIB &&
              refusal->asked_bytes == 21 * MIB);
    struct request unanswered = to_reserve("b", 21 * MIB, "/b\n");
    const struct input input = {
        .kind = INPUT_REQUEST, .peer = (void *)(uintptr_t)MODEL_PEERS, .request.request = &unanswered};
    model_feed(model, &input);
    cr_expect_eq(entry_of(model, "b").reservation, 0);
    cr_expect_eq(reserve(model, "b", UINT64_MAX, "/b\n"), ERROR_LIMIT);
    cr_expect_eq(reserve(model, "b", 20 * MIB, "/b\n"), 0);
    cr_expect_eq(reserve(model, "fixed", MIB, "/c\n"), ERROR_BUSY);
    cr_expect_eq(reserve(model, "default", 0, "/c\n"), ERROR_BUSY);
    cr_expect_eq(unreserve(model, "a"), 0);
    cr_expect_eq(reserve(model, "c", 50 * MIB, "/c\n"), 0, "a guarantee ends immediately");
    model_free(model);
}

Test(reserving, the_smaller_limit_of_the_two_is_the_one_that_counts)
{
    struct model *model = model_new(50 * MIB, 100 * MIB, 0);
    cr_expect_eq(reserve(model, "job", 51 * MIB, "/job\n"), ERROR_LIMIT);
    cr_expect(strstr(last_sentence(model), "but the host's max_bytes is 50 MiB"), "%s", last_sentence(model));
    cr_expect_eq(reserve(model, "job", 50 * MIB, "/job\n"), 0);
    model_free(model);
}

Test(reserving, settings_bound_their_sum_and_their_number)
{
    struct model *model = hundred();
    model->options.settings.reservations = (struct reservation_settings){.bytes_max = 30 * MIB, .count_max = 2};
    model_configure(model);
    cr_expect_eq(reserve(model, "a", 20 * MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "b", 11 * MIB, "/b\n"), ERROR_LIMIT);
    cr_expect(strstr(last_sentence(model), "[reservations] max_bytes is 30 MiB, and 20 MiB of that"), "%s",
              last_sentence(model));
    cr_expect_eq(reserve(model, "b", 10 * MIB, "/b\n"), 0);
    cr_expect_eq(reserve(model, "c", 0, "/c\n"), ERROR_TOO_MANY);
    cr_expect_eq(unreserve(model, "a"), 0);
    cr_expect_eq(reserve(model, "c", 0, "/c\n"), ERROR_TOO_MANY, "until its groups are empty");
    empty(model, "a");
    cr_expect_eq(reserve(model, "c", 0, "/c\n"), 0);
    model_free(model);
}

Test(reserving, only_administrators_and_helpers_may)
{
    struct model *model = hundred();
    const struct policy policy = {.access = {.reserve_users = {1, {1001}}}};
    model->options.settings.policy = &policy;
    model_configure(model);
    cr_expect_eq(reserve(model, "job", MIB, "/job\n"), 0);
    for (size_t i = 0; i < 3; i++) {
        struct request request = i == 0   ? to_reserve("job", MIB, "/job\n")
                                 : i == 1 ? to_attach("job", "/x\n")
                                          : to_unreserve("job");
        refused(ask_as(model, &request, 1000), ERROR_NOT_PERMITTED);
        cr_expect_eq(ask_as(model, &request, 1001)->kind, REPLY_DONE);
    }
    model_free(model);
}

Test(reserving, terms_are_checked)
{
    struct model *model = hundred();
    struct request request = to_reserve("job", MIB, "");
    struct reservation_terms *terms = &request.reserve.terms;
    cr_expect_eq(reserve(model, "", MIB, ""), ERROR_INVALID);
    cr_expect_eq(reserve(model, "a-name-of-thirty-two-characters-", MIB, ""), ERROR_INVALID);
    cr_expect_eq(reserve(model, "a-name-of-thirty-one-characters", MIB, ""), 0);
    terms->has_priority = terms->has_weight = true;
    terms->weight = 1;
    terms->priority = 1001;
    cr_expect_eq(ask(model, request), ERROR_INVALID);
    terms->priority = 1000;
    terms->weight = 1001;
    cr_expect_eq(ask(model, request), ERROR_INVALID);
    terms->weight = 0;
    cr_expect_eq(ask(model, request), ERROR_INVALID);
    terms->weight = 1000;
    cr_expect_eq(ask(model, request), 0);
    model_open_in(model, 0, "in", "/job\n");
    cr_expect_eq(attach(model, "job", "/job\n"), 0);
    struct session_entry session;
    bool more;
    cr_assert_eq(broker_list_sessions(model->broker, &model_root, 0, model->now, &session, 1, &more), 1);
    cr_expect_eq(session.priority, 1000);
    model_free(model);
}

/* Each of them alone makes it another one. */
Test(reserving, every_term_counts_when_two_are_compared)
{
    struct model *model = hundred();
    struct request first = to_reserve("job", MIB, "/a\n/b\n"), other;
    struct reservation_terms *terms = &other.reserve.terms;
    cr_expect_eq(ask(model, first), 0);
    for (int term = 0; term < 9; term++) {
        other = first;
        terms->mapped_bytes += term == 0;
        terms->has_uid = term == 1;
        terms->uid += term == 2;
        terms->has_priority = term == 3;
        terms->priority += term == 4;
        terms->has_weight = term == 5;
        terms->weight += term == 6;
        terms->expires_ms += term == 7;
        terms->bytes += term == 8;
        cr_expect_eq(ask(model, other), ERROR_BUSY, "%d", term);
    }
    cr_expect_eq(reserve(model, "job", MIB, "/b\n/a\n/b\n"), 0, "neither order nor number counts");
    cr_expect_eq(reserve(model, "job", MIB, "/a\n"), ERROR_BUSY);
    cr_expect_eq(reserve(model, "job", MIB, "/a\n/b\n/c\n"), ERROR_BUSY);
    cr_expect_eq(entry_of(model, "job").control_group_count, 2);
    model_free(model);
}

Test(reserving, paths_are_checked)
{
    struct model *model = hundred();
    static const char *const bad[] = {"/\n", "\n", "job\n", "/a//b\n", "/a/\n", "/../a\n", "/a/.\n", "/good\n/\n"};
    static const char *const good[] = {"/.a\n", "/..a\n", "/a.\n", "/ab\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(reserve(model, "job", MIB, bad[i]), ERROR_INVALID, "%s", bad[i]);
    }
    cr_expect_eq(reserve(model, "good", MIB, ""), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_eq(attach(model, "good", good[i]), 0, "%s", good[i]);
    }
    cr_expect_eq(reserve(model, "job", MIB, "/a*\n"), 0);
    model_open_in(model, 0, "in", "/abc\n");
    model_open_in(model, 1, "in", "/a*/x\n");
    expect_class(model, 0, "default", CLASS_RULE_DEFAULT);
    expect_class(model, 1, "job", CLASS_RULE_RESERVATION);
    model_free(model);
}

/* A path of this many bytes, whose names are as long as they may be. */
static void long_path(char *to, size_t length, char first)
{
    for (size_t i = 0; i < length; i++) {
        to[i] = i % 200 == 0 ? '/' : i == 1 ? first : 'x';
    }
    (void)strcpy(to + length, "\n");
}

Test(reserving, paths_are_bounded)
{
    struct model *model = hundred();
    static char text[8 * CONTROL_GROUPS_SIZE];
    long_path(text, CONTROL_GROUPS_SIZE - 1, 'a');
    cr_expect_eq(reserve(model, "job", MIB, text), ERROR_INVALID);
    memset(text, 'x', 300);
    text[0] = '/';
    (void)strcpy(text + 257, "\n");
    cr_expect_eq(reserve(model, "job", MIB, text), ERROR_INVALID, "a name of 256 bytes");
    (void)strcpy(text + 256, "\n");
    cr_expect_eq(reserve(model, "job", MIB, text), 0);
    long_path(text, CONTROL_GROUPS_SIZE - 2, 'b');
    cr_expect_eq(attach(model, "job", text), 0);
    long_path(text, CONTROL_GROUPS_SIZE - 2, 'c');
    cr_expect_eq(attach(model, "job", text), 0);
    long_path(text, CONTROL_GROUPS_SIZE - 2, 'd');
    cr_expect_eq(attach(model, "job", text), 0);
    long_path(text, CONTROL_GROUPS_SIZE - 2, 'e');
    cr_expect_eq(attach(model, "job", text), ERROR_TOO_MANY, "more bytes than a reservation's paths may have");
    cr_expect_eq(entry_of(model, "job").control_group_count, 4);
    text[0] = '\0';
    for (int i = 0; i <= MESSAGE_PATHS_MAX; i++) {
        (void)snprintf(text + strlen(text), 16, "/p%d\n", i);
    }
    cr_expect_eq(reserve(model, "many", MIB, text), ERROR_TOO_MANY);
    *strrchr(text, '/') = '\0';
    cr_expect_eq(reserve(model, "many", MIB, text), 0);
    cr_expect_eq(attach(model, "many", text), 0, "it has them already");
    cr_expect_eq(attach(model, "many", "/one-more\n"), ERROR_TOO_MANY);
    model_free(model);
}

Test(reserving, one_may_be_for_one_user_alone)
{
    struct model *model = hundred();
    struct request request = to_reserve("job", MIB, "/job\n");
    request.reserve.terms.has_uid = true;
    request.reserve.terms.uid = 1001;
    cr_expect_eq(ask(model, request), 0);
    model_open_in(model, 0, "other", "/job\n");
    model_open_in(model, 1, "own", "/job\n");
    expect_class(model, 0, "default", CLASS_RULE_DEFAULT);
    expect_class(model, 1, "job", CLASS_RULE_RESERVATION);
    model_free(model);
}

static void expect_beginning(const struct reply *reply, const char *words)
{
    cr_assert(reply->kind == REPLY_ERROR);
    cr_expect(strncmp(reply->error.sentence, words, strlen(words)) == 0, "%s", reply->error.sentence);
}

Test(reserving, the_closest_control_group_decides)
{
    struct model *model = hundred();
    cr_expect_eq(reserve(model, "outer", MIB, "/a\n"), 0);
    cr_expect_eq(reserve(model, "inner", MIB, "/x\n/a/b\n"), 0);
    model_open_in(model, 0, "x", "/a/b/c\n");
    model_open_in(model, 1, "x", "/a/c\n");
    model_open_in(model, 2, "x", "/ab\n/a\n");
    model_open(model, 3, LIMIT_DEFAULT);
    expect_class(model, 0, "inner", CLASS_RULE_RESERVATION);
    expect_class(model, 1, "outer", CLASS_RULE_RESERVATION);
    expect_class(model, 2, "outer", CLASS_RULE_RESERVATION);
    expect_class(model, 3, "default", CLASS_RULE_DEFAULT);
    model_free(model);
}

/* Whatever refuses, a member learns what its reservation has left. */
Test(reserving, a_member_hears_of_its_reservation_before_the_host)
{
    struct model *model = hundred();
    struct input host = {.kind = INPUT_HOST_MEMORY, .host = {3 * MIB, 200 * MIB}};
    struct input pressure = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_FULL};
    struct request request = to_reserve("job", 40 * MIB, "/job\n");
    request.reserve.terms.mapped_bytes = 200 * MIB;
    cr_expect_eq(ask(model, request), 0);
    model_open_in(model, 0, "in", "/job\n");
    model_open_in(model, 1, "out", "/\n");
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0));
    model_feed(model, &host);
    expect_beginning(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 0),
                     "10 MiB of RAM were asked for in reservation job, which has 38 MiB of its 40 MiB left, but the "
                     "host has only 3 MiB available now");
    expect_beginning(model_acquire(model, 1, 10 * MIB, LOCATION_RAM, 0),
                     "10 MiB of RAM were asked for, but the host has only 3 MiB available now");
    expect_beginning(model_acquire(model, 0, 101 * MIB, LOCATION_MMAP, 0),
                     "101 MiB of mapped files were asked for in reservation job, which has 200 MiB of its 200 MiB "
                     "left, and the host's max_mapped_bytes is 100 MiB");
    expect_beginning(model_acquire(model, 0, 41 * MIB, LOCATION_RAM, 0),
                     "41 MiB of RAM were asked for, and the reservation job's max_physical_bytes is 40 MiB");
    model->options.settings.pause_at = PRESSURE_FULL;
    model_configure(model);
    model_feed(model, &pressure);
    expect_beginning(model_acquire(model, 0, MIB, LOCATION_RAM, 0),
                     "1 MiB of RAM were asked for in reservation job, which has 38 MiB of its 40 MiB left, but the "
                     "machine is under memory pressure");
    model_free(model);
}

/* As the documentation has it: with a cap for all others, and no more reserved than the rest, a job finds its bytes
 * free. */
Test(reserving, a_cap_of_the_default_class_leaves_reservations_what_they_have)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    const struct policy policy = {.rules = &rule, .rule_count = 1};
    struct model *model = hundred();
    rule.quota.limits.max_physical_bytes = 30 * MIB;
    model->options.settings.policy = &policy;
    model->options.settings.reservations.bytes_max = 70 * MIB;
    model_configure(model);
    cr_expect_eq(model_status(model).reservable_bytes, 70 * MIB);
    model_open_in(model, 1, "out", "/\n");
    expect_class(model, 1, POLICY_DEFAULT_CLASS, CLASS_RULE_DEFAULT);
    const struct refusal *refusal =
        &refused(model_acquire(model, 1, 31 * MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal;
    cr_expect_str_eq(refusal->whose, "class default");
    cr_expect_eq(refusal->limit_bytes, 30 * MIB);
    granted(model_acquire(model, 1, 30 * MIB, LOCATION_RAM, 0)); /* before there is any reservation */
    cr_expect_eq(reserve(model, "job", 71 * MIB, "/job\n"), ERROR_LIMIT);
    cr_expect_eq(reserve(model, "job", 70 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    granted(model_acquire(model, 0, 70 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(unreserve(model, "job"), 0);
    refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    model_free(model);
}

/* `nothing` for all others: only jobs get RAM. */
Test(reserving, a_default_class_of_nothing_has_jobs_alone_get_ram)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.limits.max_physical_bytes = 0;
    struct model *model = with_rule(100 * MIB, &rule);
    cr_expect_eq(reserve(model, "job", 100 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job\n");
    model_open_in(model, 1, "out", "/\n");
    refused(model_acquire(model, 1, 1, LOCATION_RAM, 0), ERROR_LIMIT);
    granted(model_acquire(model, 0, 100 * MIB, LOCATION_RAM, 0));
    model_free(model);
}
