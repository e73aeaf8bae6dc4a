/* SPDX-License-Identifier: Apache-2.0 */
/* Ending the wait of one thread, while those of others go on. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/integration/workspaces.h"

TestSuite(wait_cancel, .timeout = 60);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\n"
enum { LONG_MS = 3600000 };

/* A thread that watches its waits and waits for memory. */
struct waiter {
    pthread_t thread;
    int (*wait)(struct waiter *waiter);
    uint64_t bytes;
    bool cancels_itself;
    mb_wait *_Atomic present; /* NULL: there is none now */
    atomic_uint begun, ended;
    mb_lease *lease;
    mb_buffer *buffer;
    int result;
    char sentence[1024];
};

static void *on_begun(mb_wait *wait, void *user_data)
{
    struct waiter *waiter = user_data;
    waiter->begun++;
    waiter->present = wait;
    if (waiter->cancels_itself) {
        mb_wait_cancel(wait);
    }
    return wait;
}

static void on_ended(void *begun, void *user_data)
{
    struct waiter *waiter = user_data;
    cr_assert_eq(begun, waiter->present);
    waiter->present = NULL;
    waiter->ended++;
}

static int acquire(struct waiter *waiter)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.wait_ms = LONG_MS;
    return mb_acquire(client, waiter->bytes, &options, &waiter->lease);
}

static int extend(struct waiter *waiter)
{
    return mb_extend_wait(waiter->lease, waiter->bytes, LONG_MS, NULL);
}

static int create_buffer(struct waiter *waiter)
{
    return mb_buffer_create(client, waiter->bytes, NULL, &waiter->buffer);
}

static int wait_connected(struct waiter *waiter)
{
    (void)waiter;
    return mb_wait_connected(client, LONG_MS);
}

static void *run(void *argument)
{
    struct waiter *waiter = argument;
    const mb_wait_watch watch = {.begun = on_begun, .ended = on_ended, .user_data = waiter};
    cr_assert(mb_watch_waits(&watch) == 0);
    waiter->result = waiter->wait(waiter);
    (void)snprintf(waiter->sentence, sizeof waiter->sentence, "%s", mb_last_error());
    cr_assert(mb_watch_waits(NULL) == 0);
    return NULL;
}

static void start(struct waiter *waiter)
{
    cr_assert(pthread_create(&waiter->thread, NULL, run, waiter) == 0);
}

static int finish(struct waiter *waiter)
{
    (void)pthread_join(waiter->thread, NULL);
    cr_expect(waiter->begun == waiter->ended && !waiter->present);
    return waiter->result;
}

static uint64_t waiting(void)
{
    return fixture_status(&fixture).waiting;
}

/* A buffer's first request waits at the broker for a moment too, if memory is being freed: its wait has not begun. */
static bool all_wait(struct waiter *waiters, unsigned count)
{
    bool all = true;
    for (unsigned i = 0; i < count; i++) {
        all = all && waiters[i].present;
    }
    return all && waiting() == count;
}

/* A client whose buffers wait too, and one that has taken what is free. */
static mb_lease *begin_full(mb_client **ret_other)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_lease *all = NULL;
    fixture_start(&fixture, LIMITS);
    options.socket = fixture.socket;
    options.wait_ms = LONG_MS;
    cr_assert(mb_connect(&options, &client) == 0, "%s", mb_last_error());
    *ret_other = fixture_connect(&fixture, 0);
    cr_assert(mb_acquire(*ret_other, 60 * MIB, NULL, &all) == 0, "%s", mb_last_error());
    return all;
}

Test(wait_cancel, one_wait_ends_and_the_others_go_on)
{
    mb_client *other;
    mb_lease *all = begin_full(&other);
    struct waiter waiters[3] = {{.wait = acquire, .bytes = 8 * MIB},
                                {.wait = acquire, .bytes = 8 * MIB},
                                {.wait = create_buffer, .bytes = 8 * MIB}};
    for (int i = 0; i < 3; i++) {
        start(&waiters[i]);
    }
    WAIT_UNTIL(all_wait(waiters, 3));
    mb_wait_cancel(waiters[1].present);
    cr_expect_eq(finish(&waiters[1]), -ECANCELED);
    cr_expect(strstr(waiters[1].sentence, "cancelled"), "%s", waiters[1].sentence);
    cr_expect_eq(waiting(), 2);
    cr_assert(mb_release(all) == 0);
    cr_expect_eq(finish(&waiters[0]), 0, "%s", waiters[0].sentence);
    cr_expect_eq(finish(&waiters[2]), 0, "%s", waiters[2].sentence);
    (void)mb_release(waiters[0].lease);
    (void)mb_buffer_unref(waiters[2].buffer);
    mb_disconnect(other);
    end();
}

Test(wait_cancel, an_extend_and_a_buffer)
{
    mb_client *other;
    (void)begin_full(&other);
    struct waiter waiters[] = {{.wait = extend, .bytes = 8 * MIB}, {.wait = create_buffer, .bytes = 8 * MIB}};
    cr_assert(mb_acquire(client, MIB, NULL, &waiters[0].lease) == 0);
    for (int i = 0; i < 2; i++) {
        start(&waiters[i]);
        WAIT_UNTIL(all_wait(&waiters[i], 1));
        mb_wait_cancel(waiters[i].present);
        cr_expect_eq(finish(&waiters[i]), -ECANCELED, "%s", waiters[i].sentence);
        cr_expect(waiting() == 0 && waiters[i].begun == 1);
    }
    cr_expect_eq(mb_lease_check(waiters[0].lease), 0);
    (void)mb_release(waiters[0].lease);
    mb_disconnect(other);
    end();
}

/* Otherwise what another thread cancels just before the request is sent would wait. */
Test(wait_cancel, a_wait_that_is_cancelled_before_it_is_sent)
{
    mb_client *other;
    (void)begin_full(&other);
    struct waiter waiter = {.wait = acquire, .bytes = 8 * MIB, .cancels_itself = true};
    start(&waiter);
    cr_expect_eq(finish(&waiter), -ECANCELED, "%s", waiter.sentence);
    cr_expect_eq(waiting(), 0);
    mb_disconnect(other);
    end();
}

Test(wait_cancel, there_is_none_if_the_request_may_not_wait)
{
    mb_client *other;
    (void)begin_full(&other);
    struct waiter waiter = {.bytes = MIB};
    const mb_wait_watch watch = {.begun = on_begun, .ended = on_ended, .user_data = &waiter};
    mb_lease *lease;
    cr_assert(mb_watch_waits(&watch) == 0);
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0 &&
              mb_acquire(client, 8 * MIB, NULL, &waiter.lease) == -ENOMEM);
    cr_assert(mb_release(lease) == 0);
    cr_expect(waiter.begun == 0);
    cr_assert(mb_watch_waits(NULL) == 0);
    mb_disconnect(other);
    end();
}

Test(wait_cancel, the_wait_for_a_connection)
{
    mb_client *other;
    (void)begin_full(&other);
    struct waiter waiter = {.wait = wait_connected};
    cr_assert(kill(fixture.daemon, SIGKILL) == 0 && waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
    WAIT_UNTIL(mb_wait_connected(client, 0) == -ETIMEDOUT);
    start(&waiter);
    WAIT_UNTIL(waiter.present);
    mb_wait_cancel(waiter.present);
    cr_expect_eq(finish(&waiter), -ECANCELED);
    cr_expect(strstr(waiter.sentence, "connection was cancelled"), "%s", waiter.sentence);
    fixture_launch(&fixture);
    cr_expect_eq(mb_wait_connected(client, LONG_MS), 0);
    mb_disconnect(other);
    end();
}
