/* SPDX-License-Identifier: Apache-2.0 */
/* Leases with undefined content: a client gets its own released memory back, as it was, until it is trimmed. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/manager.h"
#include "tests/integration/workspaces.h"

TestSuite(kept_leases, .timeout = 60);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\nmax_mapped_bytes = 64M\n"

static atomic_uint trims, losses;

static void count_events(const mb_event *event, void *user_data)
{
    (void)user_data;
    trims += event->type == MB_EVENT_TRIM;
    losses += event->type == MB_EVENT_LEASE_LOST;
}

static mb_client *connect_with(uint64_t cache_bytes, unsigned flags)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *counting = NULL;
    options.socket = fixture.socket;
    options.name = "test";
    options.cache_bytes = cache_bytes;
    options.flags = flags;
    options.on_event = count_events;
    cr_assert(mb_connect(&options, &counting) == 0, "%s", mb_last_error());
    return counting;
}

static void begin_counting(const char *settings)
{
    fixture_start(&fixture, settings);
    client = connect_with(0, 0);
}

static mb_lease_options undefined(void)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.flags = MB_LEASE_UNDEFINED_CONTENT;
    return options;
}

static mb_lease *take(mb_client *of, uint64_t bytes, mb_lease_options options)
{
    mb_lease *lease = NULL;
    cr_assert(mb_acquire(of, bytes, &options, &lease) == 0, "%s", mb_last_error());
    return lease;
}

static char *map(mb_lease *lease)
{
    void *address = NULL;
    cr_assert(mb_map(lease, 0, &address, NULL) == 0, "%s", mb_last_error());
    return address;
}

/* Acquires, writes to every byte and releases. Returns the lease's number. */
static uint64_t use(mb_client *of, uint64_t bytes, mb_lease_options options)
{
    mb_lease *lease = take(of, bytes, options);
    uint64_t id = mb_lease_id(lease);
    memset(map(lease), 0x77, bytes);
    cr_assert(mb_release(lease) == 0, "%s", mb_last_error());
    return id;
}

static bool is_all(const char *address, char byte, uint64_t bytes)
{
    return address[0] == byte && memcmp(address, address + 1, bytes - 1) == 0;
}

/* ---- it comes back ---- */

Test(kept_leases, a_released_lease_comes_back_mapped_and_as_it_was)
{
    begin_counting("");
    mb_lease *lease = take(client, MIB, undefined());
    uint64_t id = mb_lease_id(lease);
    const char *address = map(lease);
    cr_expect(is_all(address, 0, MIB), "a new lease is zero");
    memset(map(lease), 0x77, MIB);
    cr_assert(mb_release(lease) == 0);
    cr_expect_eq(used(), MIB, "it counts");
    lease = take(client, MIB - 100, undefined()); /* as many pages */
    cr_expect(mb_lease_id(lease) == id && mb_lease_bytes(lease) == MIB && mb_lease_check(lease) == 0);
    cr_expect(map(lease) == address && is_all(address, 0x77, MIB));
    cr_expect_eq(used(), MIB);
    (void)mb_release(lease);
    end();
}

Test(kept_leases, the_default_is_zero_and_new)
{
    begin_counting("");
    uint64_t id = use(client, MIB, undefined());
    mb_lease *lease = take(client, MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    cr_expect(mb_lease_id(lease) != id && is_all(map(lease), 0, MIB));
    (void)mb_release(lease);
    WAIT_UNTIL(used() == MIB); /* that one is not kept */
    end();
}

Test(kept_leases, the_newest_of_several_comes_back_first)
{
    begin_counting("");
    mb_lease *first = take(client, MIB, undefined()), *second = take(client, MIB, undefined());
    uint64_t id = mb_lease_id(second);
    (void)map(first);
    (void)map(second);
    (void)mb_release(first);
    (void)mb_release(second);
    cr_expect_eq(use(client, MIB, undefined()), id);
    end();
}

static void expect_another(uint64_t bytes, mb_lease_options options)
{
    uint64_t id = use(client, MIB, undefined());
    mb_lease *lease = take(client, bytes, options);
    cr_expect(mb_lease_id(lease) != id && is_all(map(lease), 0, bytes));
    (void)mb_release(lease);
    mb_trim(client);
}

Test(kept_leases, another_size_name_or_option_gets_another_lease)
{
    begin_counting("");
    mb_lease_options options = undefined();
    expect_another(MIB + 4096, options);
    expect_another(MIB - 4096, options);
    options.name = "another";
    expect_another(MIB, options);
    options = undefined();
    options.ttl_ms = 60000;
    expect_another(MIB, options);
    options = undefined();
    options.prefault = 1;
    expect_another(MIB, options);
    options = undefined();
    options.location = MB_LOCATION_MMAP;
    expect_another(MIB, options);
    options = undefined();
    options.flags |= MB_LEASE_KEEP_DESCRIPTOR;
    expect_another(MIB, options);
    options = undefined();
    options.flags |= MB_LEASE_LEARNED;
    expect_another(MIB, options);
    end();
}

static void expect_released(mb_lease *lease)
{
    uint64_t id = mb_lease_id(lease);
    cr_expect(mb_release(lease) == 0);
    mb_lease *next = take(client, MIB, undefined());
    cr_expect(mb_lease_id(next) != id);
    (void)mb_release(next); /* it is not mapped */
    WAIT_UNTIL(used() == 0);
}

Test(kept_leases, what_is_unmapped_grown_or_special_is_released)
{
    begin_counting("");
    mb_lease_options options = undefined();
    expect_released(take(client, MIB, options));
    mb_lease *grown = take(client, MIB, options);
    (void)map(grown);
    cr_assert(mb_extend(grown, MIB, NULL) == 0);
    expect_released(grown);
    options.ttl_ms = 60000;
    mb_lease *brief = take(client, MIB, options);
    (void)map(brief);
    expect_released(brief);
    options = undefined();
    options.location = MB_LOCATION_MMAP;
    mb_lease *file = take(client, MIB, options);
    (void)map(file);
    expect_released(file);
    end();
}

/* ---- what it saves ---- */

static long page_faults(void)
{
    struct rusage usage;
    cr_assert(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_minflt;
}

Test(kept_leases, a_hit_makes_no_page)
{
    begin_counting("");
    (void)use(client, MIB, undefined());
    long before = page_faults();
    for (int i = 0; i < 100; i++) {
        (void)use(client, MIB, undefined());
    }
    cr_expect(page_faults() - before < 50, "%ld", page_faults() - before);
    end();
}

/* ---- when it is given back ---- */

Test(kept_leases, no_more_than_64_mib)
{
    begin_counting("");
    mb_lease *first = take(client, 40 * MIB, undefined()), *second = take(client, 40 * MIB, undefined());
    (void)map(first);
    (void)map(second);
    (void)mb_release(first);
    cr_expect_eq(used(), 80 * MIB);
    (void)mb_release(second);
    WAIT_UNTIL(used() == 40 * MIB);
    mb_disconnect(client);
    WAIT_UNTIL(used() == 0);
    client = connect_with(100 * MIB, 0);
    first = take(client, 80 * MIB, undefined());
    (void)map(first);
    (void)mb_release(first);
    cr_assert(mb_ping(client) == 0);
    cr_expect_eq(used(), 80 * MIB, "cache_bytes is more");
    end();
}

Test(kept_leases, for_a_second)
{
    begin_counting("");
    (void)use(client, MIB, undefined());
    uint64_t since = now_ms();
    WAIT_UNTIL(used() == 0);
    cr_expect_gt(now_ms() - since, 900);
    (void)use(client, MIB, undefined()); /* after a look that found nothing in use */
    WAIT_UNTIL(used() == 0);
    end();
}

Test(kept_leases, in_a_client_without_a_thread_by_dispatching)
{
    fixture_start(&fixture, "");
    client = connect_with(0, MB_CLIENT_NO_THREAD);
    (void)use(client, MIB, undefined());
    WAIT_UNTIL(mb_client_timeout(client) <= 1001 && mb_client_timeout(client) >= 0);
    sleep_ms(1010);
    cr_expect_eq(mb_client_timeout(client), 0);
    cr_assert(mb_client_dispatch(client) == 0);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(kept_leases, by_a_trim)
{
    begin_counting("");
    (void)use(client, MIB, undefined());
    mb_trim(client);
    cr_assert(mb_ping(client) == 0);
    WAIT_UNTIL(used() == 0);
    cr_expect(is_all(map(take(client, MIB, undefined())), 0, MIB));
    end();
}

Test(kept_leases, when_the_broker_asks)
{
    begin_counting(LIMITS "[queue]\ntrim_time = 5s\n");
    mb_client *other = fixture_connect(&fixture, 0);
    (void)use(client, 40 * MIB, undefined());
    mb_lease *lease = take(other, 60 * MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    WAIT_UNTIL(trims == 1);
    cr_expect_eq(used(), 60 * MIB);
    (void)mb_release(lease);
    mb_disconnect(other);
    end();
}

/* Before the broker refuses, asks anyone, queues the request, or takes a file. */
static void expect_room(mb_lease_options options)
{
    (void)use(client, 40 * MIB, undefined());
    mb_lease *lease = take(client, 60 * MIB, options);
    cr_expect_eq(mb_lease_location(lease), MB_LOCATION_RAM);
    cr_assert(mb_release(lease) == 0);
    WAIT_UNTIL(used() == 0);
}

Test(kept_leases, before_a_request_of_the_same_client_waits)
{
    begin_counting(LIMITS);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    expect_room(options);
    options.wait_ms = 30000;
    expect_room(options);
    options.location = MB_LOCATION_AUTO;
    expect_room(options);
    options.wait_ms = 0;
    expect_room(options);
    cr_expect_eq(trims, 0);
    end();
}

Test(kept_leases, before_an_extension_fails)
{
    begin_counting(LIMITS);
    mb_lease *lease = take(client, MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    (void)use(client, 40 * MIB, undefined());
    cr_expect(mb_extend_wait(lease, 60 * MIB, 30000, NULL) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_bytes(lease), 61 * MIB);
    cr_expect_eq(trims, 0);
    end();
}

Test(kept_leases, before_there_are_too_many)
{
    begin_counting("[user *]\nmax_leases = 2\n");
    mb_lease *one = take(client, MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    (void)use(client, MIB, undefined());
    mb_lease *other = take(client, 2 * MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    (void)mb_release(one);
    (void)mb_release(other);
    end();
}

/* ---- losses, restarts, children, threads ---- */

Test(kept_leases, a_lease_that_is_lost_while_kept_does_not_come_back)
{
    begin_counting("");
    uint64_t id = use(client, MIB, undefined());
    cr_assert(fixture_revoke(&fixture, id) == 0);
    WAIT_UNTIL(used() == 0);
    cr_expect(use(client, MIB, undefined()) != id);
    cr_expect_eq(losses, 0, "the program does not have it");
    WAIT_UNTIL(used() == 0);
    end();
}

Test(kept_leases, a_lost_lease_is_not_kept)
{
    begin_counting("");
    mb_lease *lease = take(client, MIB, undefined());
    (void)map(lease);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == 0);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    cr_expect_eq(mb_release(lease), -ESTALE);
    cr_expect(is_all(map(take(client, MIB, undefined())), 0, MIB));
    end();
}

static struct manager manager;

Test(kept_leases, a_kept_lease_outlives_a_restart_of_the_broker_with_its_session)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    client = connect_with(0, 0);
    uint64_t id = 0, again = 0;
    for (int i = 0; i < 20 && (id == 0 || id != again); i++) { /* a slow restart takes longer than it is kept */
        id = use(client, MIB, undefined());
        manager_restart(&manager, SIGKILL);
        again = use(client, MIB, undefined());
    }
    cr_expect_eq(again, id);
    cr_expect(mb_ping(client) == 0);
    WAIT_UNTIL(used() == 0);
    mb_disconnect(client);
    manager_stop(&manager);
}

Test(kept_leases, not_in_another_session)
{
    begin_counting("");
    (void)use(client, MIB, undefined());
    uint64_t session = mb_client_session(client);
    cr_assert(kill(fixture.daemon, SIGKILL) == 0 && waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
    fixture_launch(&fixture);
    fixture_wait_connected(client);
    mb_lease *lease = take(client, MIB, undefined());
    cr_expect(is_all(map(lease), 0, MIB) && mb_lease_check(lease) == 0);
    cr_expect(session && mb_client_session(client));
    end();
}

Test(kept_leases, a_forked_child_gets_none)
{
    int status;
    begin_counting("");
    uint64_t id = use(client, MIB, undefined());
    pid_t child = fork();
    if (child == 0) {
        mb_lease_options options = undefined();
        mb_lease *none = NULL;
        _exit(mb_acquire(client, MIB, &options, &none) == -EPERM && !none ? 0 : 1);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_eq(use(client, MIB, undefined()), id);
    end();
}

enum { THREADS = 8, ROUNDS = 2000 };

static atomic_uint mixed;

static void *use_alone(void *argument)
{
    const uint64_t mine = (uint64_t)(uintptr_t)argument;
    for (int i = 0; i < ROUNDS; i++) {
        mb_lease *lease = take(client, 64 << 10, undefined());
        volatile uint64_t *words = (void *)map(lease);
        words[0] = words[8191] = mine;
        mixed += words[0] != mine || words[8191] != mine;
        (void)mb_release(lease);
    }
    return NULL;
}

Test(kept_leases, two_threads_never_have_the_same)
{
    pthread_t threads[THREADS];
    begin_counting("");
    for (uintptr_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, use_alone, (void *)(i + 1)) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    cr_expect_eq(mixed, 0);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(kept_leases, in_misuse_mode_released_memory_is_unmapped)
{
    int ends[2];
    fixture_start(&fixture, "");
    client = connect_with(8 * MIB, MB_CLIENT_CATCH_MISUSE);
    mb_lease *lease = take(client, MIB, undefined());
    const char *address = map(lease);
    (void)mb_release(lease);
    cr_assert(pipe(ends) == 0);
    cr_expect(write(ends[1], address, 1) < 0 && errno == EFAULT);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- beside cache_bytes ---- */

Test(kept_leases, with_cache_bytes_a_kept_lease_serves_a_plain_request_zeroed)
{
    fixture_start(&fixture, "");
    client = connect_with(8 * MIB, 0);
    uint64_t id = use(client, MIB, undefined());
    mb_lease *lease = take(client, MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    cr_expect(mb_lease_id(lease) == id && is_all(map(lease), 0, MIB));
    memset(map(lease), 0x55, MIB);
    (void)mb_release(lease);
    lease = take(client, MIB, undefined());
    cr_expect(mb_lease_id(lease) == id && is_all(map(lease), 0x55, MIB));
    end();
}

/* Zeros are written where there are pages only. */
Test(kept_leases, of_a_large_lease_only_what_was_written_is_cleared)
{
    fixture_start(&fixture, "");
    client = connect_with(64 * MIB, 0);
    mb_lease *lease = take(client, 32 * MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    uint64_t id = mb_lease_id(lease);
    char *address = map(lease);
    address[5 * MIB] = address[32 * MIB - 1] = 1;
    (void)mb_release(lease);
    long before = page_faults();
    lease = take(client, 32 * MIB, (mb_lease_options)MB_LEASE_OPTIONS_INIT);
    long faults = page_faults() - before;
    cr_expect(mb_lease_id(lease) == id && map(lease) == address);
    cr_expect(faults < 600, "%ld of 8192 pages", faults); /* or a huge page's worth, if there are any */
    cr_expect(is_all(address, 0, 32 * MIB));
    end();
}
