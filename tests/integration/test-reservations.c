/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations with real control groups, of cgroup v2 and of v1, as membrokerctl makes them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/manager.h"
#include "tests/integration/members.h"

TestSuite(reservations, .timeout = 120, .fini = members_remove_groups);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\n"

/* How many there are, those included that were given up. */
static size_t count_reservations(const struct fixture *fixture)
{
    struct request list = {.kind = REQUEST_LIST, .id = 9, .list = {.what = LIST_RESERVATIONS}};
    struct reply reply;
    cleanup(fd_closep) int monitor = fixture_socket(fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert_eq(reply.kind, REPLY_LISTING);
    return reply.listing.reservation_count;
}

static int hold(const struct fixture *fixture, const char *group, const char *size)
{
    return members_ctl(fixture, group, "hold", size, "--for", "0s", NULL);
}

static void live_and_end(const char *type)
{
    struct fixture fixture;
    members_need_groups(type);
    fixture_start(&fixture, LIMITS);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", "--cgroup", members_path, NULL), 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", "--cgroup", members_path, NULL), 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "17M", "--cgroup", members_path, NULL), 1);
    struct member member = member_in(&fixture, members_below);
    members_expect_class(&fixture, "job", CLASS_RULE_RESERVATION, members_path);
    cr_expect_eq(hold(&fixture, members_below, "16M"), 1, "the member has a page of that");
    cr_expect_eq(hold(&fixture, members_below, "15M"), 0);
    cr_expect_eq(hold(&fixture, NULL, "49M"), 1, "the rest is guaranteed");
    cr_expect_eq(hold(&fixture, NULL, "48M"), 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "unreserve", "job", NULL), 0);
    WAIT_UNTIL(fixture_status(&fixture).leases == 0);
    cr_expect(fixture_log_has(&fixture, "its reservation \"job\" was given up"));
    cr_expect(fixture_log_has(&fixture, "the reservation \"job\" (16 MiB) was made by process "));
    cr_expect(fixture_log_has(&fixture, "the reservation \"job\" (16 MiB) was given up by process "));
    cr_expect_eq(hold(&fixture, members_below, "4K"), 1, "who survives gets nothing");
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", NULL), 1);
    cr_expect_eq(count_reservations(&fixture), 1);
    member_end(&member);
    WAIT_UNTIL(count_reservations(&fixture) == 0);
    cr_expect_eq(hold(&fixture, members_below, "4K"), 0);
    fixture_stop(&fixture);
}

Test(reservations, a_group_of_version_2_has_its_guarantee_and_limit_to_its_end)
{
    live_and_end("cgroup2");
}

Test(reservations, a_group_of_version_1_has_its_guarantee_and_limit_to_its_end)
{
    live_and_end("cgroup");
}

Test(reservations, a_session_that_is_there_becomes_a_member_when_its_group_is_attached)
{
    struct fixture fixture;
    members_need_groups("cgroup2");
    fixture_start(&fixture, LIMITS);
    struct member member = member_in(&fixture, members_below);
    members_expect_class(&fixture, "default", CLASS_RULE_DEFAULT, "");
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", NULL), 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "attach", "job", "--cgroup", members_path, NULL), 0);
    members_expect_class(&fixture, "job", CLASS_RULE_RESERVATION, members_path);
    member_end(&member);
    fixture_stop(&fixture);
}

Test(reservations, one_that_expires_is_given_up_and_forgotten)
{
    struct fixture fixture;
    fixture_start(&fixture, LIMITS);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", "--expires", "200ms", "--cgroup",
                             "/membroker-nowhere", NULL),
                 0);
    WAIT_UNTIL(count_reservations(&fixture) == 0);
    cr_expect(fixture_log_has(&fixture, "the reservation \"job\" (16 MiB) expired"));
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "64M", NULL), 0);
    fixture_stop(&fixture);
}

/* The newest event, which must be a refusal. */
static struct event_entry newest_refusal(const struct fixture *fixture)
{
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_EVENTS}};
    struct reply reply;
    cleanup(fd_closep) int monitor = fixture_socket(fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert(reply.kind == REPLY_LISTING && reply.listing.event_count > 0 && !reply.listing.more);
    const struct event_entry *event = &reply.listing.events[reply.listing.event_count - 1];
    cr_assert(event->kind == EVENT_KIND_REFUSED && event->code == ERROR_LIMIT);
    return *event;
}

/* Nothing is used yet: what is reserved is in the way. */
Test(reservations, the_event_of_a_refused_one_has_the_figures_of_its_limit)
{
    struct fixture fixture;
    fixture_start(&fixture, LIMITS "[reservations]\nmax_bytes = 48M\n[class other]\nreserve_bytes = 24M\n");
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "32M", NULL), 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "more", "--bytes", "16M", NULL), 1);
    struct event_entry event = newest_refusal(&fixture);
    cr_expect(event.bytes == 16 << 20 && event.used_bytes == 56 << 20 && event.limit_bytes == 64 << 20);
    cr_expect_str_eq(event.whose, "host");
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "more", "--bytes", "17M", NULL), 1);
    event = newest_refusal(&fixture);
    cr_expect(event.bytes == 17 << 20 && event.used_bytes == 32 << 20 && event.limit_bytes == 48 << 20);
    cr_expect_str_eq(event.whose, "reservations");
    fixture_stop(&fixture);
}

Test(reservations, a_reload_that_contradicts_them_changes_nothing)
{
    struct fixture fixture;
    fixture_start(&fixture, LIMITS);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", NULL), 0);
    fixture_write_config(&fixture, "[limits]\nmax_physical_bytes = 8M\n");
    cr_expect_eq(members_ctl(&fixture, NULL, "reload", NULL), 1);
    cr_expect(fixture_log_has(&fixture, "but reservations have 16 MiB"));
    cr_expect_eq(fixture_status(&fixture).limits.max_physical_bytes, UINT64_C(64) << 20);
    fixture_write_config(&fixture, LIMITS "[class job]\nclients = x\n");
    cr_expect_eq(members_ctl(&fixture, NULL, "reload", NULL), 1);
    cr_expect(fixture_log_has(&fixture, "[class job] has the name of a reservation"));
    cr_expect_eq(members_ctl(&fixture, NULL, "unreserve", "job", NULL), 0);
    WAIT_UNTIL(count_reservations(&fixture) == 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "reload", NULL), 0);
    fixture_stop(&fixture);
}

static void expect_kept(struct manager *manager, struct fixture *fixture, int signal)
{
    manager_restart(manager, signal);
    members_expect_class(fixture, "job", CLASS_RULE_RESERVATION, members_path);
    cr_expect_eq(count_reservations(fixture), 1);
    cr_expect_eq(members_ctl(fixture, NULL, "reserve", "job", "--bytes", "16M", "--cgroup", members_path, NULL), 0);
    cr_expect_eq(members_ctl(fixture, NULL, "reserve", "job", "--bytes", "17M", "--cgroup", members_path, NULL), 1);
}

Test(reservations, the_daemon_takes_them_over_from_one_that_was_killed_or_stopped)
{
    struct fixture fixture;
    static struct manager manager;
    members_need_groups("cgroup2");
    manager_start(&manager, &fixture, "membrokerd", NULL, LIMITS);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", "--cgroup", members_path, NULL), 0);
    struct member member = member_in(&fixture, members_below);
    expect_kept(&manager, &fixture, SIGKILL);
    expect_kept(&manager, &fixture, SIGTERM);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    cr_expect_eq(members_ctl(&fixture, NULL, "unreserve", "job", NULL), 0);
    manager_restart(&manager, SIGKILL);
    cr_expect_eq(fixture_status(&fixture).leases, 0);
    cr_expect_eq(hold(&fixture, members_below, "4K"), 1, "who survives gets nothing from the next daemon either");
    member_end(&member);
    WAIT_UNTIL(count_reservations(&fixture) == 0);
    manager_restart(&manager, SIGKILL);
    cr_expect_eq(count_reservations(&fixture), 0);
    manager_stop(&manager);
}

/* The configuration was changed while no daemon ran, or was never reloaded. */
Test(reservations, a_daemon_that_starts_with_lower_limits_keeps_them_and_says_so)
{
    struct fixture fixture;
    static struct manager manager;
    manager_start(&manager, &fixture, "membrokerd", NULL, LIMITS);
    cr_expect_eq(members_ctl(&fixture, NULL, "reserve", "job", "--bytes", "16M", NULL), 0);
    cr_expect_str_eq(fixture_status(&fixture).warnings, "");
    fixture_write_config(&fixture, "[limits]\nmax_physical_bytes = 8M\n");
    manager_restart(&manager, SIGKILL);
    cr_expect_eq(count_reservations(&fixture), 1);
    cr_expect(fixture_log_has(&fixture, "the reservations stay, but the configuration does not fit them: "
                                        "max_physical_bytes or max_bytes is 8 MiB in the configuration"));
    cr_expect(strstr(fixture_status(&fixture).warnings, "but reservations have 16 MiB; give some of them up"));
    cr_expect_eq(members_ctl(&fixture, NULL, "unreserve", "job", NULL), 0);
    cr_expect_str_eq(fixture_status(&fixture).warnings, "", "it is set right");
    manager_stop(&manager);
}

/* Asks again until a daemon answers: the one that was asked may have been killed. */
static int insist(const struct fixture *fixture, const char *verb, const char *bytes, const char *size)
{
    int status = 3;
    for (int tries = 0; tries < 400 && status == 3; tries++) {
        status = members_ctl(fixture, NULL, verb, "job", bytes, size, NULL);
        if (status == 3) {
            sleep_ms(5);
        }
    }
    return status;
}

/* Wherever it is killed, what was asked for is done once, or can be asked for again. */
Test(reservations, a_daemon_that_is_killed_at_any_point_loses_none_and_keeps_none)
{
    for (int point = 1; point <= 6; point++) {
        struct fixture fixture;
        static struct manager manager;
        char fault[16];
        (void)snprintf(fault, sizeof fault, "%d", point);
        manager_start(&manager, &fixture, "faults/membrokerd", fault, LIMITS);
        cr_expect_eq(insist(&fixture, "reserve", "--bytes", "16M"), 0, "%d", point);
        cr_expect_eq(count_reservations(&fixture), 1, "%d", point);
        cr_expect_eq(insist(&fixture, "unreserve", NULL, NULL), 0, "%d", point);
        WAIT_UNTIL(insist(&fixture, "reserve", "--bytes", "17M") == 0);
        manager_wait(&manager);
        cr_expect_eq(count_reservations(&fixture), 1, "%d", point);
        manager_stop(&manager);
    }
}
