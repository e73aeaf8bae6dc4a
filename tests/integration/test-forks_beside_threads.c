/* SPDX-License-Identifier: Apache-2.0 */
/* Forks of a process whose other threads connect: the child has what they locked, but not the threads. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "proto/base/without_const.h"
#include "tests/integration/fixture.h"

TestSuite(forks_beside_threads, .timeout = 60);

static struct fixture fixture;

static mb_client_options options_for(const struct fixture *of)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = of->socket;
    return options;
}

static void *connect_to_nobody(void *argument)
{
    mb_client *never;
    (void)mb_client_shared(argument, &never);
    return NULL;
}

/* The thread that holds the lock does not exist in the child. */
Test(forks_beside_threads, a_child_that_is_forked_while_a_thread_connects_can_connect)
{
    pthread_t thread;
    mb_client *shared;
    fixture_start(&fixture, "");
    mb_client_options options = options_for(&fixture);
    cr_assert(kill(fixture.daemon, SIGSTOP) == 0);
    cr_assert(pthread_create(&thread, NULL, connect_to_nobody, &options) == 0);
    sleep_ms(200); /* it waits for the welcome */
    pid_t child = fork();
    if (child == 0) {
        mb_client *own;
        (void)alarm(20);
        _exit(mb_client_shared(&options, &own) == 0 && mb_ping(own) == 0 ? 0 : 1);
    }
    cr_assert(kill(fixture.daemon, SIGCONT) == 0);
    cr_expect_eq(fixture_wait_child(child), 0);
    (void)pthread_join(thread, NULL);
    cr_assert_eq(mb_client_shared(NULL, &shared), 0, "%s", mb_last_error());
    mb_client_shared_release(shared);
    mb_client_shared_release(shared);
    fixture_discard(&fixture);
}

static atomic_bool is_over;

static void *come_and_go(void *argument)
{
    mb_client_options options = options_for(argument);
    while (!is_over) {
        mb_client *brief;
        if (mb_connect(&options, &brief) == 0) {
            mb_disconnect(brief);
        }
    }
    return NULL;
}

/* At a fork, either thread may hold the lock of the list of clients. ASan's allocator has locks of its own there. */
Test(forks_beside_threads, children_that_are_forked_while_threads_connect_can_connect)
{
    enum { CONNECTING = 2, FORKS = 150 };
    pthread_t threads[CONNECTING];
    int failed = 0;
#ifdef __SANITIZE_ADDRESS__
    cr_skip_test("a child of a process with threads can't allocate under ASan");
#endif
    fixture_start(&fixture, "[clients]\nmax_sessions_per_user = 100\n");
    mb_client_options options = options_for(&fixture);
    for (int i = 0; i < CONNECTING; i++) {
        cr_assert(pthread_create(&threads[i], NULL, come_and_go, &fixture) == 0);
    }
    for (int i = 0; i < FORKS && !failed; i++) {
        sleep_ms((unsigned)i % 3);
        pid_t child = fork();
        if (child == 0) {
            mb_client *own;
            (void)alarm(20);
            _exit(mb_client_shared(&options, &own) == 0 ? 0 : 1);
        }
        failed += fixture_wait_child(child) != 0;
    }
    is_over = true;
    for (int i = 0; i < CONNECTING; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    cr_expect_eq(failed, 0);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    fixture_stop(&fixture);
}

static void *connect_in_vain(void *argument)
{
    mb_client_options options = options_for(argument);
    mb_client *never;
    for (;;) {
        (void)mb_connect(&options, &never);
    }
    return NULL;
}

static void delay_fork(void)
{
    sleep_ms(10);
}

/* The first client of this process is made while the fork is under way. The threads hold the library's locks often. */
static int fork_beside_first_client(const struct fixture *of)
{
    enum { CONNECTING = 8 };
    pthread_t thread;
    mb_client_options options = options_for(of);
    (void)pthread_atfork(delay_fork, NULL, NULL);
    for (int i = 0; i < CONNECTING; i++) {
        (void)pthread_create(&thread, NULL, connect_in_vain, without_const(of));
    }
    pid_t child = fork();
    if (child == 0) {
        mb_client *never;
        (void)alarm(10);
        _exit(mb_client_shared(&options, &never) < 0 ? 0 : 1);
    }
    return fixture_wait_child(child);
}

Test(forks_beside_threads, a_child_of_a_fork_that_began_before_the_first_client_does_not_hang)
{
    enum { PROCESSES = 60 };
    const struct fixture nobody = {.socket = "/nonexistent/socket"};
    int failed = 0;
#ifdef __SANITIZE_ADDRESS__
    cr_skip_test("a child of a process with threads can't allocate under ASan");
#endif
    for (int i = 0; i < PROCESSES && !failed; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(fork_beside_first_client(&nobody));
        }
        failed += fixture_wait_child(child) != 0;
    }
    cr_expect_eq(failed, 0);
}
