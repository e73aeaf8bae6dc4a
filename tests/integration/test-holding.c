/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of jobs that a scheduler suspends, with real control groups and signals. */
#include <signal.h>

#include "tests/integration/manager.h"
#include "tests/integration/members.h"

TestSuite(holding, .timeout = 120, .fini = members_remove_groups);

#define SHORT   "[limits]\nmax_physical_bytes = 64M\n[leases]\ndefault_ttl = 1s\nreconnect_grace = 1s\n"
#define STOPPED SHORT "[reservations]\nhold_while_stopped = yes\n"

enum { LONG_MS = 4000 }; /* four times the TTL */

static void reserve_job(const struct fixture *fixture)
{
    cr_expect_eq(members_ctl(fixture, NULL, "reserve", "job", "--bytes", "16M", "--cgroup", members_path, NULL), 0);
}

/* A member of the job. */
static struct member begin(struct fixture *fixture, const char *type, const char *settings)
{
    members_need_groups(type);
    fixture_start(fixture, settings);
    reserve_job(fixture);
    return member_in(fixture, members_below);
}

/* Of the only session. */
static uint64_t held_ms(const struct fixture *fixture)
{
    struct request list = {.kind = REQUEST_LIST, .id = 9, .list = {.what = LIST_SESSIONS}};
    struct reply reply;
    int monitor = fixture_socket(fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert(reply.kind == REPLY_LISTING && reply.listing.session_count == 1);
    uint64_t held = reply.listing.sessions[0].held_ms;
    (void)close(monitor);
    return held;
}

/* It goes on as if nothing had been: it renews, and its lease stays. */
static void expect_alive(const struct fixture *fixture)
{
    sleep_ms(LONG_MS / 2);
    cr_expect_eq(fixture_status(fixture).leases, 1);
    WAIT_UNTIL(held_ms(fixture) == 0);
}

static void freeze_and_thaw(const char *type)
{
    struct fixture fixture;
    struct member member = begin(&fixture, type, SHORT);
    members_freeze(true);
    sleep_ms(LONG_MS);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    cr_expect_gt(held_ms(&fixture), 0);
    members_freeze(false);
    expect_alive(&fixture);
    member_end(&member);
    fixture_stop(&fixture);
}

Test(holding, a_frozen_group_of_version_2_keeps_its_leases)
{
    freeze_and_thaw("cgroup2");
}

Test(holding, a_frozen_group_of_version_1_keeps_its_leases)
{
    freeze_and_thaw("freezer");
}

Test(holding, a_frozen_client_outside_a_reservation_loses_its_lease)
{
    struct fixture fixture;
    members_need_groups("cgroup2");
    fixture_start(&fixture, SHORT);
    struct member member = member_in(&fixture, members_below);
    members_freeze(true);
    WAIT_UNTIL(fixture_status(&fixture).leases == 0);
    members_freeze(false);
    member_end(&member);
    fixture_stop(&fixture);
}

Test(holding, a_client_that_stops_itself_is_not_held_unless_the_configuration_says_so)
{
    struct fixture fixture;
    struct member member = begin(&fixture, "cgroup2", SHORT);
    cr_expect_eq(kill(member.pid, SIGSTOP), 0);
    WAIT_UNTIL(fixture_status(&fixture).leases == 0);
    cr_expect_eq(kill(member.pid, SIGCONT), 0);
    member_end(&member);
    fixture_stop(&fixture);
}

Test(holding, a_job_is_held_when_all_of_its_processes_are_stopped)
{
    struct fixture fixture;
    struct member member = begin(&fixture, "cgroup2", STOPPED);
    cr_expect_eq(kill(member.pid, SIGSTOP), 0);
    sleep_ms(LONG_MS);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    cr_expect_gt(held_ms(&fixture), 0);
    cr_expect_eq(kill(member.pid, SIGCONT), 0);
    expect_alive(&fixture);
    struct member other = member_in(&fixture, members_top);
    cr_expect_eq(kill(member.pid, SIGSTOP), 0);
    WAIT_UNTIL(fixture_status(&fixture).leases == 1);
    cr_expect_eq(kill(member.pid, SIGCONT), 0);
    member_end(&other);
    member_end(&member);
    fixture_stop(&fixture);
}

/* Its client can't reconnect to the next daemon either. */
Test(holding, a_suspended_job_outlives_daemons_that_are_killed)
{
    struct fixture fixture;
    static struct manager manager;
    members_need_groups("cgroup2");
    manager_start(&manager, &fixture, "membrokerd", NULL, SHORT);
    reserve_job(&fixture);
    struct member member = member_in(&fixture, members_below);
    cr_expect_eq(members_ctl(&fixture, NULL, "suspend", "job", NULL), 0);
    cr_expect_eq(kill(member.pid, SIGSTOP), 0);
    sleep_ms(LONG_MS / 2);
    manager_restart(&manager, SIGKILL);
    sleep_ms(LONG_MS);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    cr_expect_gt(held_ms(&fixture), 0);
    cr_expect_eq(kill(member.pid, SIGCONT), 0);
    cr_expect_eq(members_ctl(&fixture, NULL, "resume", "job", NULL), 0);
    expect_alive(&fixture);
    member_end(&member);
    manager_stop(&manager);
}

Test(holding, a_frozen_job_outlives_daemons_that_are_killed)
{
    struct fixture fixture;
    static struct manager manager;
    members_need_groups("cgroup2");
    manager_start(&manager, &fixture, "membrokerd", NULL, SHORT);
    reserve_job(&fixture);
    struct member member = member_in(&fixture, members_below);
    members_freeze(true);
    manager_restart(&manager, SIGKILL);
    sleep_ms(LONG_MS);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    members_freeze(false);
    expect_alive(&fixture);
    member_end(&member);
    manager_stop(&manager);
}
