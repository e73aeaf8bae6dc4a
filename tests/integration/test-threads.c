/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads that call through one client: who reads the socket, and whom an answer wakes. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

TestSuite(threads, .timeout = 120);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\nmax_mapped_bytes = 64M\n"
#define MIB    (UINT64_C(1) << 20)

enum { WAITERS = 8 };

static struct fixture fixture;
static mb_client *client;
static mb_lease *all; /* the memory that the waiting threads want */

struct caller {
    pthread_t thread;
    atomic_int id; /* of the thread, for the kernel */
    uint32_t wait_ms;
    int result;
};

static struct caller callers[WAITERS];

static void *wait_for_memory(void *argument)
{
    struct caller *self = argument;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.location = MB_LOCATION_RAM;
    options.wait_ms = self->wait_ms;
    self->id = (int)syscall(SYS_gettid);
    self->result = mb_acquire(client, MIB, &options, &lease);
    return NULL;
}

static void start(struct caller *caller, uint32_t wait_ms, uint64_t queue)
{
    caller->wait_ms = wait_ms;
    cr_assert_eq(pthread_create(&caller->thread, NULL, wait_for_memory, caller), 0);
    WAIT_UNTIL(fixture_status(&fixture).waiting == queue);
}

/* `count` threads wait in the broker's queue, all through one client. */
static void begin(unsigned flags, int count)
{
    fixture_start(&fixture, LIMITS);
    client = fixture_connect(&fixture, flags);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = MB_LOCATION_RAM;
    cr_assert_eq(mb_acquire(client, 64 * MIB, &options, &all), 0, "%s", mb_last_error());
    for (int i = 0; i < count; i++) {
        start(&callers[i], 100000, (uint64_t)i + 1);
    }
}

static void expect_granted(int count)
{
    for (int i = 0; i < count; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        cr_expect_eq(callers[i].result, 0);
    }
}

static void end(void)
{
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* How often the thread went to sleep, so how often it was woken. */
static unsigned long sleeps_of(int thread)
{
    char path[64], line[128];
    unsigned long sleeps = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "voluntary_ctxt_switches: %lu", &sleeps);
    }
    cr_assert(file != NULL);
    (void)fclose(file);
    return sleeps;
}

static unsigned long sleeps_of_all(void)
{
    unsigned long sleeps = 0;
    for (int i = 0; i < WAITERS; i++) {
        sleeps += sleeps_of(callers[i].id);
    }
    return sleeps;
}

/* One of the waiting threads reads the answers. Of the others none wakes up. */
static void expect_few_wakes(unsigned flags)
{
    enum { PINGS = 200 };
    begin(flags, WAITERS);
    unsigned long before = sleeps_of_all();
    for (int i = 0; i < PINGS; i++) {
        cr_assert_eq(mb_ping(client), 0, "%s", mb_last_error());
    }
    unsigned long woken = sleeps_of_all() - before;
    cr_expect_lt(woken, 3 * PINGS, "%d answers to another thread woke %d waiting threads %lu times", PINGS, WAITERS,
                 woken);
    (void)mb_release(all);
    expect_granted(WAITERS);
    end();
}

Test(threads, an_answer_wakes_the_thread_that_it_is_for)
{
    expect_few_wakes(0);
}

Test(threads, an_answer_wakes_the_thread_that_it_is_for_without_a_background_thread)
{
    expect_few_wakes(MB_CLIENT_NO_THREAD);
}

static int background_thread(void)
{
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    while (tasks && (task = readdir(tasks))) {
        char path[300], name[32] = "";
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof name, file) && strcmp(name, "membroker\n") == 0) {
            found = atoi(task->d_name);
        }
        if (file) {
            (void)fclose(file);
        }
    }
    (void)closedir(tasks);
    cr_assert_neq(found, 0);
    return found;
}

/*
 * It looks every 10 ms whether calls go on, and is told at most once between two looks that they do not. Each time it
 * may also sleep for the client's lock. If it watched the socket, it would wake with each answer.
 */
Test(threads, calls_that_follow_one_another_do_not_wake_the_background_thread)
{
    enum { PINGS = 2000 };
    begin(0, 0);
    int thread = background_thread();
    unsigned long before = sleeps_of(thread);
    uint64_t begun = now_ms();
    for (int i = 0; i < PINGS; i++) {
        cr_assert_eq(mb_ping(client), 0, "%s", mb_last_error());
    }
    unsigned long woken = sleeps_of(thread) - before;
    cr_expect_lt(woken, PINGS / 4 + 5 * (now_ms() - begun) / 10, "%d answers woke the background thread %lu times",
                 PINGS, woken);
    (void)mb_release(all);
    end();
}

/* The newest waiting thread reads. When its wait is over another one must, or nobody would get an answer. */
static void expect_another_reader(unsigned flags)
{
    begin(flags, 3);
    start(&callers[3], 500, 4);
    (void)pthread_join(callers[3].thread, NULL);
    cr_expect_eq(callers[3].result, -ENOMEM);
    cr_expect_eq(mb_ping(client), 0, "%s", mb_last_error());
    (void)mb_release(all);
    expect_granted(3);
    end();
}

Test(threads, another_thread_reads_when_the_reader_is_done)
{
    expect_another_reader(0);
}

Test(threads, another_thread_reads_when_the_reader_is_done_without_a_background_thread)
{
    expect_another_reader(MB_CLIENT_NO_THREAD);
}
