/* SPDX-License-Identifier: Apache-2.0 */
/* What a request goes through when memory is short: trims, the queue, a file, another's lease. By the library. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(waiting, .timeout = 60);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\nmax_mapped_bytes = 64M\n"

/* A thread inside mb_acquire(). */
struct waiter {
    pthread_t thread;
    mb_client *client;
    uint64_t bytes;
    mb_lease_options options;
    mb_lease *lease;
    int result;
    char sentence[1024];
    atomic_bool has_ended;
};

static void *run_waiter(void *argument)
{
    struct waiter *waiter = argument;
    waiter->result = mb_acquire(waiter->client, waiter->bytes, &waiter->options, &waiter->lease);
    (void)snprintf(waiter->sentence, sizeof waiter->sentence, "%s", waiter->result < 0 ? mb_last_error() : "");
    waiter->has_ended = true;
    return NULL;
}

static void start_waiter(struct waiter *waiter, mb_client *of, uint64_t bytes, uint32_t wait_ms)
{
    *waiter = (struct waiter){.client = of, .bytes = bytes, .options = MB_LEASE_OPTIONS_INIT};
    waiter->options.wait_ms = wait_ms;
    cr_assert(pthread_create(&waiter->thread, NULL, run_waiter, waiter) == 0);
}

static int end_waiter(struct waiter *waiter)
{
    (void)pthread_join(waiter->thread, NULL);
    return waiter->result;
}

static mb_lease *take(mb_client *of, uint64_t bytes)
{
    mb_lease *lease = NULL;
    cr_assert(mb_acquire(of, bytes, NULL, &lease) == 0, "%s", mb_last_error());
    return lease;
}

static uint64_t waiting(void)
{
    return fixture_status(&fixture).waiting;
}

Test(waiting, a_waiting_request_is_served_when_another_client_releases)
{
    begin(LIMITS);
    struct waiter waiter;
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease *all = take(client, 64 * MIB);
    start_waiter(&waiter, other, 16 * MIB, 30000);
    WAIT_UNTIL(waiting() == 1);
    cr_assert(mb_release(all) == 0);
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    cr_expect_eq(mb_lease_bytes(waiter.lease), 16 * MIB);
    cr_expect_eq(waiting(), 0);
    mb_release(waiter.lease);
    mb_disconnect(other);
    end();
}

Test(waiting, a_wait_ends_at_its_deadline_and_says_how_long_it_was)
{
    begin(LIMITS);
    struct waiter waiter;
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease *all = take(client, 64 * MIB);
    start_waiter(&waiter, other, 16 * MIB, 300);
    cr_expect_eq(end_waiter(&waiter), -ENOMEM);
    cr_expect(strstr(waiter.sentence, "waited") && strstr(waiter.sentence, "max_physical_bytes"), "%s",
              waiter.sentence);
    cr_expect_eq(waiting(), 0);
    mb_release(all);
    mb_disconnect(other);
    end();
}

Test(waiting, a_wait_may_exceed_the_calls_timeout)
{
    begin(LIMITS);
    struct waiter waiter;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = fixture.socket;
    options.timeout_ms = 200;
    mb_client *other;
    cr_assert(mb_connect(&options, &other) == 0);
    mb_lease *all = take(client, 64 * MIB);
    start_waiter(&waiter, other, 16 * MIB, 30000);
    WAIT_UNTIL(waiting() == 1);
    sleep_ms(600);
    cr_expect_eq(waiting(), 1);
    mb_release(all);
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    mb_disconnect(other);
    end();
}

Test(waiting, waits_are_cancelled_by_another_thread)
{
    begin(LIMITS);
    struct waiter waiters[3];
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease *all = take(client, 64 * MIB);
    for (int i = 0; i < 3; i++) {
        start_waiter(&waiters[i], other, MIB, 30000);
    }
    WAIT_UNTIL(waiting() == 3);
    mb_cancel_waits(other);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(end_waiter(&waiters[i]), -ECANCELED, "%s", waiters[i].sentence);
    }
    cr_expect_eq(waiting(), 0);
    mb_release(all);
    cr_assert(mb_acquire(other, MIB, NULL, &all) == 0, "the client goes on: %s", mb_last_error());
    mb_disconnect(other);
    end();
}

static int wait_long(const struct fixture *of)
{
    mb_client *child = fixture_connect(of, 0);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.wait_ms = 60000;
    return mb_acquire(child, 60 * MIB, &options, &lease) == 0;
}

Test(waiting, a_killed_client_does_not_block_the_queue)
{
    begin(LIMITS);
    struct waiter waiter;
    mb_lease *most = take(client, 40 * MIB);
    pid_t large = fixture_fork(wait_long, &fixture);
    WAIT_UNTIL(waiting() == 1);
    mb_client *other = fixture_connect(&fixture, 0);
    start_waiter(&waiter, other, 20 * MIB, 30000); /* would fit, but delays the large one */
    WAIT_UNTIL(waiting() == 2);
    (void)kill(large, SIGKILL);
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    (void)waitpid(large, NULL, 0);
    mb_release(most);
    mb_disconnect(other);
    end();
}

Test(waiting, an_extension_waits_as_well)
{
    begin(LIMITS);
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease *most = take(client, 60 * MIB), *small = take(other, MIB);
    cr_expect_eq(mb_extend(small, 8 * MIB, NULL), -ENOMEM);
    cr_expect_eq(mb_extend_wait(small, 8 * MIB, 100, NULL), -ENOMEM);
    struct waiter waiter;
    start_waiter(&waiter, client, 8 * MIB, 30000); /* stands before the extension */
    WAIT_UNTIL(waiting() == 1);
    mb_release(most);
    cr_assert(mb_extend_wait(small, 8 * MIB, 30000, NULL) == 0, "%s", mb_last_error());
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    cr_expect_eq(mb_lease_bytes(small), 9 * MIB);
    mb_disconnect(other);
    end();
}

/* ---- trimming ---- */

static mb_client *connect_caching(void)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *caching = NULL;
    options.socket = fixture.socket;
    options.cache_bytes = 64 * MIB;
    cr_assert(mb_connect(&options, &caching) == 0, "%s", mb_last_error());
    return caching;
}

Test(waiting, memory_that_the_library_keeps_is_released_before_a_refusal)
{
    begin(LIMITS "[queue]\ntrim_time = 5s\n");
    mb_client *caching = connect_caching();
    mb_lease *lease = take(caching, 60 * MIB);
    void *address;
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    cr_assert(mb_release(lease) == 0);
    cr_expect_eq(used(), 60 * MIB, "it is kept for the next");
    lease = take(client, 40 * MIB); /* willing to wait for nothing but the trim */
    cr_expect_eq(used(), 40 * MIB);
    mb_release(lease);
    mb_disconnect(caching);
    end();
}

Test(waiting, with_a_trim_time_of_0_no_client_is_asked)
{
    begin(LIMITS "[queue]\ntrim_time = 0\n");
    mb_client *caching = connect_caching();
    mb_lease *lease = take(caching, 60 * MIB), *other;
    void *address;
    cr_assert(mb_map(lease, 0, &address, NULL) == 0);
    cr_assert(mb_release(lease) == 0);
    cr_expect_eq(mb_acquire(client, 40 * MIB, NULL, &other), -ENOMEM);
    mb_disconnect(caching);
    end();
}

static mb_buffer *hoard[4];

static void on_trim(const mb_event *event, void *user_data)
{
    atomic_int *asked = user_data;
    for (size_t i = 0; event->type == MB_EVENT_TRIM && i < 4; i++) {
        if (hoard[i]) {
            (void)mb_buffer_unref(hoard[i]);
            hoard[i] = NULL;
        }
    }
    *asked += event->type == MB_EVENT_TRIM;
}

/* The library gives back what it holds itself, before the program is asked and after. */
Test(waiting, the_program_is_asked_and_what_it_frees_is_released)
{
    begin(LIMITS "[queue]\ntrim_time = 5s\n");
    static atomic_int asked;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *hoarding = NULL;
    options.socket = fixture.socket;
    options.on_event = on_trim;
    options.user_data = &asked;
    cr_assert(mb_connect(&options, &hoarding) == 0);
    for (size_t i = 0; i < 4; i++) {
        cr_assert(mb_buffer_create(hoarding, 12 * MIB, NULL, &hoard[i]) == 0, "%s", mb_last_error());
    }
    mb_lease *lease = take(client, 50 * MIB);
    cr_expect_eq(asked, 1);
    mb_release(lease);
    mb_disconnect(hoarding);
    end();
}

Test(waiting, a_trim_event_during_a_disconnect_does_no_harm)
{
    begin(LIMITS "[queue]\ntrim_time = 5s\n");
    mb_client *leaving = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    struct waiter waiter;
    (void)take(leaving, 60 * MIB);
    start_waiter(&waiter, client, 60 * MIB, 30000);
    WAIT_UNTIL(waiting() == 1); /* the trim event is in flight and not read */
    mb_disconnect(leaving);
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    end();
}

/* A workspace is its thread's own: it is trimmed when that thread leaves another. */
/* False, so that it can stand in a condition that is waited for. */
static bool cycle_once(mb_workspace *workspace)
{
    ENTER(workspace);
    (void)ALLOC(workspace, 100);
    LEAVE(workspace);
    return false;
}

Test(waiting, the_arena_of_an_idle_workspace_is_released)
{
    begin(LIMITS);
    mb_client *other = fixture_connect(&fixture, 0);
    struct waiter waiter;
    mb_workspace *idle = open_named(client, "idle", default_config()),
                 *busy = open_named(client, "busy", default_config());
    for (int i = 0; i < 3; i++) {
        ENTER(idle);
        (void)ALLOC(idle, 40 * MIB);
        ENTER(busy);
        (void)ALLOC(busy, 100);
        LEAVE(busy);
        LEAVE(idle);
    }
    uint64_t size = stats_of(idle).current_size;
    cr_expect_geq(size, 40 * MIB);
    start_waiter(&waiter, other, 40 * MIB, 30000);
    WAIT_UNTIL(waiting() == 1);
    WAIT_UNTIL(waiter.has_ended || cycle_once(busy)); /* the broker's word comes at some moment of it */
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    mb_release(waiter.lease);
    ENTER(idle); /* it continues where it was */
    (void)ALLOC(idle, 40 * MIB);
    LEAVE(idle);
    cr_expect_eq(stats_of(idle).current_size, size);
    mb_disconnect(other);
    end();
}

Test(waiting, the_arena_of_a_sleeping_thread_is_released_and_leased_again)
{
    begin(LIMITS);
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease_options patient = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    patient.wait_ms = 30000;
    mb_workspace *idle = open_named(client, "idle", default_config());
    for (int i = 0; i < 3; i++) {
        ENTER(idle);
        (void)ALLOC(idle, 40 * MIB);
        LEAVE(idle);
    }
    for (int round = 0; round < 2; round++) {
        uint64_t size = stats_of(idle).current_size;
        cr_assert(mb_acquire(other, 40 * MIB, &patient, &lease) == 0, "%s", mb_last_error());
        cr_expect_eq(stats_of(idle).current_size, size, "it knows what it needs");
        cr_expect_neq(mb_workspace_enter(idle), 0, "there is no room for both");
        mb_release(lease);
        cr_expect(mb_ping(other) == 0, "the broker reads the release before the other client's request");
        ENTER(idle);
        (void)ALLOC(idle, 40 * MIB);
        LEAVE(idle);
        cr_expect_eq(stats_of(idle).spilled_count, 0);
    }
    mb_disconnect(other);
    end();
}

/* A program that has seen the lease itself may still look at it. */
Test(waiting, an_arena_that_is_entered_or_whose_lease_was_asked_for_stays)
{
    begin(LIMITS "[queue]\ntrim_time = 5s\n");
    mb_client *other = fixture_connect(&fixture, 0);
    mb_lease_options patient = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    patient.wait_ms = 3000; /* longer than it takes to be idle */
    mb_workspace *workspace = open_named(client, "seen", default_config());
    for (int i = 0; i < 3; i++) {
        ENTER(workspace);
        (void)ALLOC(workspace, 40 * MIB);
        LEAVE(workspace);
    }
    ENTER(workspace);
    char *data = ALLOC(workspace, 40 * MIB);
    cr_expect_eq(mb_acquire(other, 40 * MIB, &patient, &lease), -ENOMEM);
    data[40 * MIB - 1] = 1;
    LEAVE(workspace);
    mb_lease *seen = mb_workspace_lease(workspace);
    cr_expect_eq(mb_acquire(other, 40 * MIB, &patient, &lease), -ENOMEM);
    cr_expect_eq(mb_lease_check(seen), 0);
    mb_disconnect(other);
    end();
}

/* ---- files ---- */

Test(waiting, auto_goes_to_a_file_if_ram_is_short_and_says_so)
{
    begin(LIMITS);
    mb_lease *first = take(client, 60 * MIB), *second;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = MB_LOCATION_AUTO;
    cr_assert(mb_acquire(client, 16 * MIB, &options, &second) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_location(second), MB_LOCATION_MMAP);
    cr_expect_eq(mb_lease_charge(second), MB_CHARGE_NONE);
    mb_release(first);
    mb_release(second);
    cr_assert(mb_acquire(client, 16 * MIB, &options, &second) == 0);
    cr_expect_eq(mb_lease_location(second), MB_LOCATION_RAM);
    mb_release(second);
    end();
}

/* ---- classes and revocation ---- */

static atomic_int revoking, lost;

static void on_revoking(const mb_event *event, void *user_data)
{
    (void)user_data;
    revoking += event->type == MB_EVENT_REVOKING;
    lost += event->type == MB_EVENT_LEASE_LOST && event->reason == MB_END_REVOKED;
}

static mb_client *connect_as(const char *name, void (*on_event)(const mb_event *, void *))
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *named = NULL;
    options.socket = fixture.socket;
    options.name = name;
    options.on_event = on_event;
    options.flags = MB_CLIENT_GUARD;
    cr_assert(mb_connect(&options, &named) == 0, "%s", mb_last_error());
    return named;
}

Test(waiting, a_lease_of_lower_priority_is_revoked_after_its_holder_was_told)
{
    begin(LIMITS "[queue]\nrevoke_for_priority = yes\nrevoke_grace = 300ms\n"
                 "[class urgent]\nclients = urgent-*\npriority = 10\n");
    struct waiter waiter;
    mb_client *low = connect_as("batch", on_revoking), *high = connect_as("urgent-1", NULL);
    mb_lease *lease = take(low, 60 * MIB);
    start_waiter(&waiter, high, 32 * MIB, 30000);
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    WAIT_UNTIL(lost == 1);
    cr_expect_eq(revoking, 1, "its holder was told before");
    cr_expect_eq(mb_lease_check(lease), -ESTALE);
    cr_expect_eq(mb_lease_end_reason(lease), MB_END_REVOKED);
    mb_release(lease);
    mb_release(waiter.lease);
    mb_disconnect(low);
    mb_disconnect(high);
    end();
}

static atomic_int spared;
static mb_lease *_Atomic spared_lease;

static void on_sparing(const mb_event *event, void *user_data)
{
    on_revoking(event, user_data);
    if (event->type == MB_EVENT_SPARED) {
        spared_lease = event->lease;
        spared++;
    }
}

Test(waiting, a_lease_that_is_not_needed_is_spared_and_its_holder_is_told)
{
    begin(LIMITS "[queue]\nrevoke_for_priority = yes\nrevoke_grace = 5s\n"
                 "[class urgent]\nclients = urgent-*\npriority = 10\n");
    struct waiter waiter;
    mb_client *low = connect_as("batch", on_sparing), *beside = connect_as("urgent-1", NULL);
    mb_client *high = connect_as("urgent-2", NULL);
    mb_lease *leases[2] = {take(low, 20 * MIB), take(low, 20 * MIB)}, *other = take(beside, 24 * MIB);
    start_waiter(&waiter, high, 40 * MIB, 30000);
    WAIT_UNTIL(revoking == 2); /* both are needed, and then only one */
    mb_release(other);
    cr_assert(end_waiter(&waiter) == 0, "%s", waiter.sentence);
    WAIT_UNTIL(lost == 1 && spared == 1);
    const mb_lease *kept = spared_lease;
    cr_assert(kept == leases[0] || kept == leases[1], "the event names the lease");
    cr_expect_eq(mb_lease_check(kept), 0);
    cr_expect_eq(mb_lease_check(kept == leases[0] ? leases[1] : leases[0]), -ESTALE);
    mb_release(leases[0]);
    mb_release(leases[1]);
    mb_release(waiter.lease);
    mb_disconnect(low);
    mb_disconnect(beside);
    mb_disconnect(high);
    end();
}

/* Tries again until another configuration has come into force. */
static mb_lease *take_soon(mb_client *of, uint64_t bytes)
{
    mb_lease *lease = NULL;
    for (int i = 0; i < 2000 && mb_acquire(of, bytes, NULL, &lease) < 0; i++) {
        sleep_ms(5);
    }
    cr_assert(lease, "%s", mb_last_error());
    return lease;
}

Test(waiting, limits_of_a_class_hold_and_a_reload_changes_them)
{
    const char *before = LIMITS "[class batch]\nclients = batch\nmax_physical_bytes = 8M\nmax_leases = 2\n";
    begin(before);
    mb_client *batch = connect_as("batch", NULL);
    mb_lease *first = take(batch, 4 * MIB), *second = take(batch, 4 * MIB), *third = NULL;
    cr_expect_eq(mb_acquire(batch, 1, NULL, &third), -EMFILE);
    cr_expect(strstr(mb_last_error(), "class batch") && strstr(mb_last_error(), "max_leases"), "%s", mb_last_error());
    mb_release(second);
    cr_expect_eq(mb_acquire(batch, 5 * MIB, NULL, &third), -ENOMEM);
    cr_expect(strstr(mb_last_error(), "max_physical_bytes") && strstr(mb_last_error(), "class batch"), "%s",
              mb_last_error());
    fixture_write_config(&fixture, LIMITS "[class batch]\nclients = batch\nmax_physical_bytes = 16M\n");
    (void)kill(fixture.daemon, SIGHUP);
    third = take_soon(batch, 12 * MIB);
    cr_expect_eq(mb_acquire(batch, MIB, NULL, &second), -ENOMEM);
    fixture_write_config(&fixture, LIMITS "[class batch]\nclients = nobody\n");
    (void)kill(fixture.daemon, SIGHUP);
    second = take_soon(batch, 20 * MIB);
    cr_expect_eq(mb_lease_check(first), 0);
    mb_disconnect(batch);
    end();
}
