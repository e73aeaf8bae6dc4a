/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each call that the daemon makes fails in turn, each way that it can, over the real daemon: the first such call while
 * clients ask for everything, the second, and so on until there are no more. After each, the next client is served, the
 * ledger is the kernel's, and the daemon's descriptors and heap are where they were.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/faults.h"
#include "tests/faults/scenario.h"
#include "tests/integration/manager.h"

TestSuite(faults, .timeout = 7200);

static struct manager manager;
static struct fixture fixture;
static char named[] = "/tmp/membroker-named-XXXXXX";
static size_t baseline_descriptors;
static long baseline_blocks;

static void begin(const char *grace)
{
    char text[1024];
    cr_assert(mkdtemp(named));
    scenario_settings(named, grace, text, sizeof text);
    sweep_begin();
    manager_start(&manager, &fixture, "membrokerd", NULL, text);
}

static void remove_named(void)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/named", named);
    (void)unlink(path);
    cr_expect(rmdir(named) == 0, "something was left beside the named file");
}

static void end(void)
{
    manager_stop(&manager);
    sweep_end();
    remove_named();
}

static bool is_idle(void)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && status.used_bytes == 0 && status.sessions == 0;
}

/* What the daemon has open and on its heap while there are no clients. */
static void measure_idle(void)
{
    WAIT_UNTIL(is_idle());
    size_t before;
    do {
        before = baseline_descriptors;
        baseline_blocks = atomic_load(&fault_control->live_blocks);
        sleep_ms(1100); /* who used much time is remembered for a second */
        baseline_descriptors = fixture_descriptors(&fixture);
    } while (before != baseline_descriptors || baseline_blocks != atomic_load(&fault_control->live_blocks));
}

/* False: not within ten seconds. Once is enough: the daemon opens and closes files of its own now and then. */
static bool comes_true(bool (*condition)(void))
{
    for (int waited_ms = 0; waited_ms < 10000; waited_ms += 2) {
        if (condition()) {
            return true;
        }
        sleep_ms(2);
    }
    return false;
}

static bool is_as_before(void)
{
    return fixture_descriptors(&fixture) == baseline_descriptors &&
           atomic_load(&fault_control->live_blocks) == baseline_blocks;
}

/* All later clients are served, and nothing of the earlier ones is left. */
static void check_after(void)
{
    char failure[512];
    cr_assert(scenario_next_client(&fixture, failure, sizeof failure), "%s: the next client was not served: %s",
              fault_at, failure);
    cr_assert(comes_true(is_idle), "%s: something is held still", fault_at);
    fixture_audit(&fixture);
}

static bool is_refused(void)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && *status.configuration_error;
}

static bool is_accepted(void)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && !*status.configuration_error;
}

/* A configuration that was refused is remembered until another is in force. */
static void reload(bool (*outcome)(void))
{
    (void)kill(fixture.daemon, SIGHUP);
    cr_assert(comes_true(outcome), "%s: the configuration is not as it should be", fault_at);
}

/* A control page that was sent is kept for its user's next session: as many as there were sessions at the same time. */
static void open_many_sessions(void)
{
    enum { SESSIONS = 8 };
    int sessions[SESSIONS];
    struct reply reply;
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i] = fixture_socket(&fixture);
        cr_assert(sessions[i] >= 0 && fixture_hello(sessions[i], false, &reply, NULL), "%s", fault_at);
    }
    for (int i = 0; i < SESSIONS; i++) {
        (void)close(sessions[i]);
    }
}

/* An unknown name: to look it up, the C library loads all its sources, and keeps them. */
static void name_nobody(void)
{
    FILE *file = fopen(fixture.config, "we");
    cr_assert(file && fputs("[access]\nadmin_users = nobody-has-this-name\n", file) >= 0 && fclose(file) == 0);
}

/* What a daemon keeps from its first clients, and its first refused configuration, is there before it is measured. */
static void warm_up(void)
{
    char aside[128];
    scenario_everything(&fixture);
    open_many_sessions();
    check_after();
    (void)snprintf(aside, sizeof aside, "%s.aside", fixture.config);
    cr_assert(rename(fixture.config, aside) == 0);
    reload(is_refused);
    name_nobody();
    reload(is_refused);
    cr_assert(rename(aside, fixture.config) == 0);
    reload(is_accepted);
}

static void strike_while_serving(const struct fault *fault)
{
    unsigned before = manager.starts;
    scenario_everything(&fixture);
    fault_disarm();
    if (manager.starts != before) {
        cr_assert(fault_may_end_the_daemon(fault), "%s: the daemon ended with status %#x", fault_at, manager.last_end);
        manager_wait(&manager);
    }
    check_after();
    reload(is_accepted);
    if (manager.starts != before) {
        warm_up();
        measure_idle();
    }
    cr_assert(comes_true(is_as_before), "%s: %zu descriptors instead of %zu, %ld blocks instead of %ld", fault_at,
              fixture_descriptors(&fixture), baseline_descriptors, atomic_load(&fault_control->live_blocks),
              baseline_blocks);
}

Test(faults, while_clients_are_served)
{
    begin("100ms");
    for (int i = 0; i < 3; i++) {
        warm_up();
    }
    measure_idle();
    sweep(strike_while_serving);
    end();
}

/* ---- a restart ---- */

static mb_client *client;
static mb_lease *kept[2];
static unsigned char *data[2];

enum { KEPT_BYTES = 1 << 20 };

static void hold(void)
{
    client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    for (int i = 0; i < 2; i++) {
        mb_lease_options options = MB_LEASE_OPTIONS_INIT;
        void *address;
        options.location = i ? MB_LOCATION_MMAP : MB_LOCATION_RAM;
        cr_assert(mb_acquire(client, KEPT_BYTES, &options, &kept[i]) == 0 && mb_map(kept[i], 0, &address, NULL) == 0,
                  "%s: %s", fault_at, mb_last_error());
        data[i] = address;
        memset(data[i], 1 + i, KEPT_BYTES);
    }
}

static long lost;
static char why[512];

/* Each lease is as it was, or its holder is told that it has ended. Returns how many are as they were. */
static int give_back(void)
{
    int alive = 0;
    (void)(mb_ping(client) == 0 || mb_ping(client) == 0);
    for (int i = 0; i < 2; i++) {
        if (mb_lease_check(kept[i]) == 0) {
            cr_assert(data[i][0] == 1 + i && data[i][KEPT_BYTES - 1] == 1 + i, "%s: memory was lost", fault_at);
            alive++;
        } else {
            cr_assert_neq(mb_lease_end_reason(kept[i]), MB_END_NONE, "%s", fault_at);
            (void)snprintf(why, sizeof why, "%s", mb_last_error());
        }
        (void)mb_release(kept[i]);
    }
    mb_disconnect(client);
    return alive;
}

static void strike_while_restarting(const struct fault *fault)
{
    static bool kill_it;
    (void)fault;
    kill_it = !kill_it; /* without and with a handing over */
    manager_restart(&manager, kill_it ? SIGKILL : SIGTERM);
    fault_disarm();
    manager_wait(&manager);
    int alive = give_back();
    if (alive < 2) {
        (void)fprintf(stderr, "%s: %d leases were lost: %s\n", fault_at, 2 - alive, why);
    }
    lost += 2 - alive;
    check_after();
    hold();
}

Test(faults, while_the_daemon_restarts)
{
    begin("10s");
    hold();
    sweep(strike_while_restarting);
    (void)give_back();
    cr_expect_eq(lost, 0, "%ld leases were lost", lost);
    end();
}
