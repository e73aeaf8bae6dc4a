/* SPDX-License-Identifier: Apache-2.0 */
/* What the history tells, to whom, and what is left of it after a restart. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/events.h"
#include "tests/integration/manager.h"
#include "tests/integration/workspaces.h"

TestSuite(history, .timeout = 60);

enum { ALICE = 4001, BOB = 4002 };

static struct manager manager;

static mb_lease *acquire(uint64_t bytes, const char *name, uint32_t ttl_ms)
{
    mb_lease *lease;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.name = name;
    options.ttl_ms = ttl_ms;
    cr_assert(mb_acquire(client, bytes, &options, &lease) == 0, "%s", mb_last_error());
    return lease;
}

/* ---- what it tells ---- */

Test(history, tells_the_life_of_leases)
{
    mb_lease *refused;
    size_t at = 0;
    begin("[pool]\npool_bytes = 0\n[limits]\nmax_physical_bytes = 8M\n");
    mb_lease *first = acquire(3 * MIB, "first", 0), *second = acquire(2 * MIB, "second", 0);
    uint64_t id = mb_lease_id(first), other = mb_lease_id(second);
    cr_assert(mb_acquire(client, 4 * MIB, NULL, &refused) == -ENOMEM);
    cr_assert(mb_release(first) == 0);
    cr_assert(fixture_revoke(&fixture, other) == 0);
    WAIT_UNTIL((read_all(), count_kind(EVENT_KIND_ENDED) == 2));
    cr_expect(next(EVENT_KIND_STARTED, &at)->text[0]);
    const struct event_entry *event = next(EVENT_KIND_GRANTED, &at);
    cr_expect(event->count == 2 && event->bytes == 5 * MIB && event->lease == id, "one event of two grants");
    cr_expect(event->has_uid && event->uid == getuid() && event->pid == getpid() && event->location == LOCATION_RAM);
    cr_expect(event->session == mb_client_session(client) && event->client[0]);
    cr_expect_str_eq(event->class, "default");
    cr_expect(event->at_unix_ms > UINT64_C(1700000000000) && event->last_unix_ms >= event->at_unix_ms);
    event = next(EVENT_KIND_REFUSED, &at);
    cr_expect(event->code == ERROR_LIMIT && event->limit_kind == LIMIT_KIND_PHYSICAL_BYTES && event->count == 1);
    cr_expect(event->bytes == 4 * MIB && event->limit_bytes == 8 * MIB && event->used_bytes == 5 * MIB);
    cr_expect_str_eq(event->whose, "host");
    event = next(EVENT_KIND_ENDED, &at);
    cr_expect(event->reason == END_RELEASED && event->lease == id && event->bytes == 3 * MIB && !event->has_by);
    cr_expect_str_eq(event->name, "first");
    event = next(EVENT_KIND_ENDED, &at);
    cr_expect(event->reason == END_REVOKED && event->lease == other && event->has_by && event->by_uid == getuid());
    cr_expect_eq(event->by_pid, getpid());
    mb_release(second);
    end();
}

Test(history, tells_expiries_reloads_and_reservations)
{
    size_t at = 0;
    begin("");
    mb_client *hung = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    mb_lease *lease;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.ttl_ms = 1000;
    cr_assert(mb_acquire(hung, MIB, &options, &lease) == 0, "%s", mb_last_error());
    struct request reserve = {.kind = REQUEST_RESERVE, .reserve = {.terms = {.name = "job", .bytes = MIB}}};
    struct request reload = {.kind = REQUEST_RELOAD};
    struct request unreserve = {.kind = REQUEST_UNRESERVE, .unreserve = {"job"}};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    cr_assert(fixture_exchange(fd, &reserve, &reply, NULL) && reply.kind == REPLY_DONE);
    cr_assert(fixture_exchange(fd, &reload, &reply, NULL) && reply.kind == REPLY_DONE);
    cr_assert(fixture_exchange(fd, &unreserve, &reply, NULL) && reply.kind == REPLY_DONE);
    fixture_write_config(&fixture, "[limits]\nnonsense = 1\n");
    cr_assert(fixture_exchange(fd, &reload, &reply, NULL) && reply.kind == REPLY_ERROR);
    WAIT_UNTIL((read_all(), count_kind(EVENT_KIND_ENDED) == 1));
    const struct event_entry *event = next(EVENT_KIND_RESERVED, &at);
    cr_expect(event->bytes == MIB && event->uid == getuid() && strcmp(event->name, "job") == 0);
    (void)next(EVENT_KIND_RELOADED, &at);
    cr_expect_str_eq(next(EVENT_KIND_UNRESERVED, &at)->name, "job");
    cr_expect(strstr(next(EVENT_KIND_BAD_CONFIGURATION, &at)->text, "nonsense"));
    cr_expect_eq(next(EVENT_KIND_ENDED, &at)->reason, END_EXPIRED);
    mb_disconnect(hung);
    end();
}

/* Who follows it gets each event once, when it can't change any more. */
Test(history, a_follower_gets_each_event_once)
{
    uint64_t granted = 0, bytes = 0, after = 0;
    begin("[pool]\npool_bytes = 0\n");
    for (int i = 0; i < 50; i++) {
        mb_lease *lease = acquire(MIB, "", 0);
        sleep_ms(i % 10 == 0 ? 150 : 1);
        read_after(&fixture, after, true);
        for (size_t j = 0; j < event_count; j++) {
            granted += events[j].kind == EVENT_KIND_GRANTED ? events[j].count : 0;
            bytes += events[j].kind == EVENT_KIND_GRANTED ? events[j].bytes : 0;
            after = events[j].event;
        }
        mb_release(lease);
    }
    cr_expect_lt(granted, 50, "the last ones may still be counted");
    for (int waited = 0; granted < 50 && waited < 500; waited++) {
        read_after(&fixture, after, true);
        for (size_t j = 0; j < event_count; j++) {
            granted += events[j].kind == EVENT_KIND_GRANTED ? events[j].count : 0;
            bytes += events[j].kind == EVENT_KIND_GRANTED ? events[j].bytes : 0;
            after = events[j].event;
        }
        sleep_ms(20);
    }
    cr_expect_eq(granted, 50);
    cr_expect_eq(bytes, 50 * MIB);
    end();
}

Test(history, may_be_switched_off)
{
    begin("[history]\nbytes = 0\n");
    mb_release(acquire(MIB, "", 0));
    read_all();
    cr_expect_eq(event_count, 0);
    end();
}

/* ---- to whom ---- */

static int as_user(uid_t uid, int (*body)(const struct fixture *of))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        bool became = setgroups(0, NULL) == 0 && setgid(uid) == 0 && setuid(uid) == 0;
        _exit(became ? body(&fixture) : 99);
    }
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void begin_for_all(const char *settings)
{
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    begin(settings);
    cr_assert(chmod(fixture.socket, 0666) == 0);
}

static int take_and_give(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    mb_lease *lease;
    int result = mb_acquire(own, MIB, NULL, &lease);
    result = result == 0 ? mb_release(lease) : result;
    mb_disconnect(own);
    return result == 0 ? 0 : 1;
}

static int see_own(const struct fixture *of)
{
    read_after(of, 0, false);
    for (size_t i = 0; i < event_count; i++) {
        if (events[i].has_uid && events[i].uid != getuid()) {
            return 50;
        }
    }
    return (int)(10 * count_kind(EVENT_KIND_GRANTED) + count_kind(EVENT_KIND_STARTED));
}

static int lose_lease(const struct fixture *of)
{
    mb_client *own = fixture_connect(of, 0);
    mb_lease *lease;
    if (mb_acquire(own, MIB, NULL, &lease) != 0) {
        return 1;
    }
    for (int i = 0; i < 500 && mb_lease_check(lease) == 0; i++) {
        sleep_ms(20);
    }
    read_after(of, 0, false);
    for (size_t i = 0; i < event_count; i++) {
        if (events[i].kind == EVENT_KIND_ENDED && events[i].reason == END_REVOKED) {
            bool is_hidden = events[i].by_pid == 0 && events[i].by_session == 0;
            return events[i].has_by && events[i].by_uid == 0 && is_hidden ? 0 : 2;
        }
    }
    return 3;
}

static void *revoke_all(void *unused)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    do {
        sleep_ms(20);
        cr_assert(fixture_exchange(fd, &request, &reply, NULL) && reply.kind == REPLY_LISTING);
    } while (reply.listing.lease_count == 0);
    cr_assert(fixture_revoke(&fixture, reply.listing.leases[0].lease) == 0);
    return unused;
}

Test(history, users_see_their_own_and_the_daemons)
{
    begin_for_all("");
    cr_expect_eq(as_user(ALICE, take_and_give), 0);
    cr_expect_eq(as_user(BOB, take_and_give), 0);
    mb_release(acquire(MIB, "", 0));
    cr_expect_eq(as_user(ALICE, see_own), 11);
    read_all();
    cr_expect_eq(count_kind(EVENT_KIND_GRANTED), 3);
    end();
}

Test(history, who_revoked_is_told_but_not_which_process)
{
    pthread_t thread;
    begin_for_all("");
    cr_assert(pthread_create(&thread, NULL, revoke_all, NULL) == 0);
    cr_expect_eq(as_user(ALICE, lose_lease), 0);
    cr_assert(pthread_join(thread, NULL) == 0);
    end();
}

/* ---- bounds ---- */

static int flood(const struct fixture *of)
{
    int result = 0;
    for (int i = 0; i < 400 && result == 0; i++) { /* a session each: they are not counted together */
        result = take_and_give(of);
    }
    return result;
}

Test(history, a_flood_of_one_user_leaves_the_events_of_others)
{
    size_t of_bob = 0, of_alice = 0, of_nobody = 0;
    begin_for_all("[history]\nbytes = 64K\n");
    cr_expect_eq(as_user(BOB, take_and_give), 0);
    cr_expect_eq(as_user(BOB, take_and_give), 0);
    cr_expect_eq(as_user(ALICE, flood), 0);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 1);
    read_all();
    for (size_t i = 0; i < event_count; i++) {
        of_bob += events[i].uid == BOB;
        of_alice += events[i].uid == ALICE;
        of_nobody += !events[i].has_uid;
    }
    cr_expect_eq(of_bob, 4);
    cr_expect_eq(of_nobody, 1, "the start");
    cr_expect(of_alice > 50 && of_alice < 110, "%zu of 800 are left: the ring is full", of_alice);
    end();
}

/* ---- samples ---- */

static struct sample_entry samples[EVENTS_MOST];
static size_t sample_count;

static void read_samples(void)
{
    struct reply reply;
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_SAMPLES}};
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    sample_count = 0;
    do {
        cr_assert(fixture_exchange(fd, &request, &reply, NULL) && reply.kind == REPLY_LISTING);
        for (size_t i = 0; i < reply.listing.sample_count; i++) {
            cr_assert_gt(reply.listing.samples[i].sample, request.list.after);
            request.list.after = reply.listing.samples[i].sample;
            samples[sample_count++] = reply.listing.samples[i];
        }
    } while (reply.listing.more);
}

static bool is_sampled(const char *class, uint64_t physical_bytes)
{
    read_samples();
    for (size_t i = 0; i < sample_count; i++) {
        if (strcmp(samples[i].class, class) == 0 && samples[i].physical_bytes == physical_bytes) {
            return true;
        }
    }
    return false;
}

Test(history, samples_have_the_whole_and_each_class_that_holds_something)
{
    begin("[pool]\npool_bytes = 0\n[history]\ninterval = 20ms\n[class other]\nclients = nobody\n");
    mb_lease *lease = acquire(3 * MIB, "", 0);
    WAIT_UNTIL(is_sampled("default", 3 * MIB) && is_sampled("", 3 * MIB));
    cr_expect(!is_sampled("other", 0) && is_sampled("", 0));
    mb_release(lease);
    WAIT_UNTIL((read_samples(), samples[sample_count - 1].physical_bytes == 0));
    end();
}

/* ---- over restarts ---- */

static void begin_kept(const char *settings)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, settings);
    client = fixture_connect(&fixture, 0);
}

static void end_kept(void)
{
    mb_disconnect(client);
    manager_stop(&manager);
}

static void expect_in_order(void)
{
    for (size_t i = 1; i < event_count; i++) {
        cr_expect(events[i].event > events[i - 1].event && events[i].at_unix_ms >= events[i - 1].at_unix_ms);
    }
}

Test(history, is_complete_and_in_order_after_kill_9)
{
    enum { ROUNDS = 4 };
    begin_kept("[pool]\npool_bytes = 0\n");
    uint64_t granted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        mb_lease *lease = acquire((uint64_t)(round + 1) * MIB, "", 0);
        manager_restart(&manager, round % 2 ? SIGTERM : SIGKILL);
        fixture_wait_connected(client);
        cr_assert(mb_release(lease) == 0);
    }
    WAIT_UNTIL((read_all(), count_kind(EVENT_KIND_ENDED) == ROUNDS));
    expect_in_order();
    cr_expect_eq(count_kind(EVENT_KIND_RESTARTED), ROUNDS);
    cr_expect_eq(count_kind(EVENT_KIND_STARTED), ROUNDS + 1);
    cr_expect_eq(count_kind(EVENT_KIND_HANDED_OVER), ROUNDS / 2);
    size_t at = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        const struct event_entry *grant = next(EVENT_KIND_GRANTED, &at);
        cr_expect(grant->bytes == (round + 1) * MIB && grant->count == 1);
        granted += grant->count;
        (void)next(EVENT_KIND_RESTARTED, &at);
        cr_expect_eq(next(EVENT_KIND_ENDED, &at)->bytes, (round + 1) * MIB);
    }
    cr_expect_eq(granted, ROUNDS);
    end_kept();
}

Test(history, samples_are_kept_over_kill_9)
{
    begin_kept("[pool]\npool_bytes = 0\n[history]\ninterval = 20ms\n");
    mb_lease *lease = acquire(3 * MIB, "", 0);
    WAIT_UNTIL(is_sampled("default", 3 * MIB));
    uint64_t last = samples[sample_count - 1].sample;
    cr_assert(mb_release(lease) == 0);
    fixture_write_config(&fixture, "[pool]\npool_bytes = 0\n[history]\ninterval = 20ms\nbytes = 1M\n");
    manager_restart(&manager, SIGKILL);
    cr_expect(is_sampled("default", 3 * MIB), "also when the size changes");
    WAIT_UNTIL((read_samples(), samples[sample_count - 1].sample > last + 2));
    for (size_t i = 1; i < sample_count; i++) {
        cr_expect_eq(samples[i].sample, samples[i - 1].sample + 1);
    }
    end_kept();
}

Test(history, keeps_what_fits_when_its_size_changes)
{
    begin_kept("[history]\nbytes = 1M\n");
    for (int i = 0; i < 300; i++) {
        mb_client *one = fixture_connect(&fixture, 0);
        mb_lease *lease;
        cr_assert(mb_acquire(one, MIB, NULL, &lease) == 0);
        mb_disconnect(one);
    }
    read_all();
    size_t before = event_count;
    uint64_t last = events[event_count - 1].event;
    cr_expect_geq(before, 500);
    fixture_write_config(&fixture, "[history]\nbytes = 64K\n");
    manager_restart(&manager, SIGKILL);
    read_all();
    expect_in_order();
    cr_expect(event_count > 60 && event_count < 90, "%zu", event_count);
    cr_expect_eq(count_kind(EVENT_KIND_STARTED), 2);
    bool is_there = false;
    for (size_t i = 0; i < event_count; i++) {
        is_there = is_there || events[i].event == last;
    }
    cr_expect(is_there, "the newest ones stay, with their numbers");
    fixture_write_config(&fixture, "[history]\nbytes = 0\n");
    manager_restart(&manager, SIGTERM);
    read_all();
    cr_expect_eq(event_count, 0);
    WAIT_UNTIL(manager_stored(&manager) == 2); /* the table and the session's control page */
    end_kept();
}

/* What another version left, or a half of it, is no history. */
Test(history, begins_again_if_what_is_left_can_not_be_read)
{
    static const char *const left[] = {"", "short", "MBHYS1 but of another version, and of another length, too"};
    begin_kept("");
    for (size_t i = 0; i < 3; i++) {
        int fd = memfd_create("left", MFD_CLOEXEC);
        cr_assert(write(fd, left[i], strlen(left[i])) == (ssize_t)strlen(left[i]));
        cr_assert(i < 2 || ftruncate(fd, MIB) == 0);
        manager_replace(&manager, "membroker-history", fd);
        close(fd);
        manager_restart(&manager, SIGKILL);
        read_all();
        cr_expect_eq(count_kind(EVENT_KIND_STARTED), 1);
        cr_expect_eq(count_kind(EVENT_KIND_RESTARTED), 1);
    }
    end_kept();
}
