/* SPDX-License-Identifier: Apache-2.0 */
/* The client that the libraries of one process share: who gets it, when it ends, and what forked children have. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/integration/manager.h"
#include "tests/integration/workspaces.h"

TestSuite(shared_client, .timeout = 60);

static mb_client_options options_for(const struct fixture *of)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = of->socket;
    options.name = "shared";
    return options;
}

static mb_client *share(const mb_client_options *options)
{
    mb_client *shared = NULL;
    cr_assert(mb_client_shared(options, &shared) == 0, "%s", mb_last_error());
    return shared;
}

static unsigned sessions(void)
{
    return (unsigned)fixture_status(&fixture).sessions;
}

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(directory)) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

Test(shared_client, every_caller_gets_the_same_one_and_the_last_release_ends_it)
{
    fixture_start(&fixture, "");
    mb_client_options options = options_for(&fixture);
    mb_client *first = share(&options), *second = share(NULL), *third = share(&options);
    mb_lease *lease;
    cr_expect(first == second && second == third);
    cr_expect(sessions() == 1);
    cr_assert(mb_acquire(second, MIB, NULL, &lease) == 0, "%s", mb_last_error());
    mb_client_shared_release(first);
    mb_client_shared_release(second);
    cr_expect(mb_ping(third) == 0 && mb_lease_check(lease) == 0 && sessions() == 1);
    mb_client_shared_release(third);
    cr_expect(sessions() == 0, "the last release returns after the broker has ended the session");
    mb_client_shared_release(third); /* once too often */
    mb_client_shared_release(NULL);
    mb_client *again = share(&options);
    cr_expect(sessions() == 1);
    mb_client_shared_release(again);
    fixture_stop(&fixture);
}

/* ---- options ---- */

static void ignore_event(const mb_event *event, void *user_data)
{
    (void)event;
    (void)user_data;
}

static void ignore_reclaim(const mb_reclaim *reclaim, void *user_data)
{
    (void)reclaim;
    (void)user_data;
}

static void expect_refusal(mb_client_options options, const char *name)
{
    mb_client *other = NULL;
    char words[80];
    (void)snprintf(words, sizeof words, "whose option %s differs", name);
    cr_expect(mb_client_shared(&options, &other) == -EEXIST && !other);
    EXPECT_SENTENCE(words);
}

#define EXPECT_REFUSAL(member, value)                                                                                  \
    do {                                                                                                               \
        mb_client_options different = options;                                                                         \
        different.member = value;                                                                                      \
        expect_refusal(different, #member);                                                                            \
    } while (0)

Test(shared_client, each_option_that_differs_is_refused_and_named)
{
    fixture_start(&fixture, "");
    mb_client_options options = options_for(&fixture);
    int something;
    mb_client *shared = share(&options);
    EXPECT_REFUSAL(socket, "/elsewhere");
    EXPECT_REFUSAL(socket, NULL);
    EXPECT_REFUSAL(name, "another");
    EXPECT_REFUSAL(name, NULL);
    EXPECT_REFUSAL(heap_bytes, MIB);
    EXPECT_REFUSAL(max_bytes, MIB);
    EXPECT_REFUSAL(max_physical_bytes, MIB);
    EXPECT_REFUSAL(flags, MB_CLIENT_GUARD);
    EXPECT_REFUSAL(on_event, ignore_event);
    EXPECT_REFUSAL(user_data, &something);
    EXPECT_REFUSAL(timeout_ms, 7);
    EXPECT_REFUSAL(on_reclaim, ignore_reclaim);
    EXPECT_REFUSAL(max_retries, 7);
    EXPECT_REFUSAL(retry_wait_ms, 7);
    EXPECT_REFUSAL(cache_bytes, MIB);
    EXPECT_REFUSAL(wait_ms, 7);
    mb_client_options without_size = options;
    without_size.size = 8;
    cr_expect(mb_client_shared(&without_size, &shared) == -EINVAL);
    mb_client_shared_release(shared);
    fixture_stop(&fixture);
}

/* The library has copies: the first caller's strings may change. */
Test(shared_client, strings_are_compared_by_content)
{
    fixture_start(&fixture, "");
    char name[8] = "shared", socket[sizeof fixture.socket];
    mb_client_options options = options_for(&fixture), same = options;
    memcpy(socket, fixture.socket, sizeof socket);
    same.name = name;
    same.socket = socket;
    mb_client *shared = share(&same);
    name[0] = 'x';
    socket[0] = 'x';
    cr_expect(share(&options) == shared);
    mb_client_shared_release(shared);
    mb_client_shared_release(shared);
    options.name = "another"; /* the options ended with the client */
    mb_client_shared_release(share(&options));
    fixture_stop(&fixture);
}

Test(shared_client, after_a_refused_connection_the_next_call_tries_again)
{
    fixture_prepare(&fixture, "");
    mb_client_options options = options_for(&fixture);
    mb_client *shared = NULL;
    cr_expect(mb_client_shared(&options, &shared) < 0 && !shared);
    EXPECT_SENTENCE(fixture.socket);
    fixture_launch(&fixture);
    options.name = NULL; /* the failed call's options are not in effect */
    mb_client_shared_release(share(&options));
    fixture_stop(&fixture);
}

/* ---- threads ---- */

enum { THREADS = 16, ROUNDS = 30 };

static pthread_barrier_t together;
static atomic_uint differing;

static void *use(void *argument)
{
    const mb_client_options *options = argument;
    for (int i = 0; i < ROUNDS; i++) {
        mb_client *mine = share(options);
        mb_client *again = share(NULL);
        differing += mine != again || mb_ping(mine) < 0;
        mb_client_shared_release(again);
        mb_client_shared_release(mine);
    }
    return NULL;
}

static mb_client *seen[THREADS];

static void *get(void *argument)
{
    mb_client **ret = argument;
    mb_client_options options = options_for(&fixture);
    (void)pthread_barrier_wait(&together);
    *ret = share(&options);
    return NULL;
}

static void run_threads(void *(*body)(void *), void *(*argument)(int))
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, body, argument(i)) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static void *slot_of(int i)
{
    return &seen[i];
}

Test(shared_client, threads_that_ask_at_the_same_time_get_one_session)
{
    fixture_start(&fixture, "");
    cr_assert(pthread_barrier_init(&together, NULL, THREADS) == 0);
    run_threads(get, slot_of);
    cr_expect(sessions() == 1);
    for (int i = 0; i < THREADS; i++) {
        cr_expect(seen[i] == seen[0]);
        mb_client_shared_release(seen[i]);
    }
    cr_expect(sessions() == 0);
    fixture_stop(&fixture);
}

static mb_client_options of_all;

static void *same_options(int i)
{
    (void)i;
    return &of_all;
}

Test(shared_client, threads_may_take_and_release_it_in_any_order)
{
    fixture_start(&fixture, "");
    of_all = options_for(&fixture);
    run_threads(use, same_options);
    cr_expect(differing == 0);
    cr_expect(sessions() == 0);
    fixture_stop(&fixture);
}

/* ---- callbacks ---- */

static atomic_int asked = 1;

static void ask_for_it(const mb_event *event, void *user_data)
{
    mb_client *same;
    (void)user_data;
    if (event->type == MB_EVENT_LEASE_LOST) {
        asked = mb_client_shared(NULL, &same);
    }
}

Test(shared_client, a_callback_may_ask_for_it)
{
    fixture_start(&fixture, "");
    mb_client_options options = options_for(&fixture);
    mb_lease *lease;
    options.on_event = ask_for_it;
    mb_client *shared = share(&options);
    cr_assert(mb_acquire(shared, MIB, NULL, &lease) == 0);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == 0);
    WAIT_UNTIL(asked != 1);
    cr_expect(asked == 0);
    mb_client_shared_release(shared);
    cr_expect(sessions() == 1, "the callback is a user");
    mb_client_shared_release(shared);
    cr_expect(sessions() == 0);
    fixture_stop(&fixture);
}

/* ---- forked children ---- */

/* Returns the number of the expectation that does not hold; 0: all hold. */
static int check_child(mb_client *parents, mb_client_options options)
{
    mb_client *own = NULL, *other;
    size_t inherited = open_descriptors();
    options.name = "child";
    if (mb_ping(parents) != -EPERM) {
        return 1;
    }
    if (mb_client_shared(&options, &own) < 0 || own == parents || mb_ping(own) < 0) {
        return 2;
    }
    if (open_descriptors() != inherited) {
        return 3; /* as many as its own client has are closed */
    }
    if (mb_client_shared(NULL, &other) < 0 || other != own || sessions() != 2) {
        return 4;
    }
    mb_client_shared_release(parents);
    mb_client_shared_release(own);
    if (mb_ping(own) < 0) {
        return 5;
    }
    mb_client_shared_release(other);
    return sessions() == 1 ? 0 : 6;
}

Test(shared_client, a_forked_childs_first_call_connects_its_own)
{
    fixture_start(&fixture, "");
    mb_client_options options = options_for(&fixture);
    mb_client *shared = share(&options);
    cr_assert(share(NULL) == shared);
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork(); /* its parent never asked */
        int result = grandchild == 0 ? check_child(shared, options) : fixture_wait_child(grandchild);
        _exit(grandchild == 0 || result ? result : check_child(shared, options));
    }
    cr_expect_eq(fixture_wait_child(child), 0);
    cr_expect(mb_ping(shared) == 0 && sessions() == 1);
    mb_client_shared_release(shared);
    cr_expect(mb_ping(shared) == 0, "the parent's users are as many as before");
    mb_client_shared_release(shared);
    cr_expect(sessions() == 0);
    fixture_stop(&fixture);
}

Test(shared_client, a_child_that_only_releases_leaves_the_parents_session)
{
    fixture_start(&fixture, "");
    mb_client_options options = options_for(&fixture);
    mb_client *shared = share(&options);
    size_t open = open_descriptors();
    pid_t child = fork();
    if (child == 0) {
        mb_client_shared_release(shared);
        size_t left = open_descriptors();
        mb_client_shared_release(shared);
        _exit(left < open && open_descriptors() == left ? 0 : 1);
    }
    cr_expect_eq(fixture_wait_child(child), 0);
    cr_expect(mb_ping(shared) == 0);
    mb_client_shared_release(shared);
    fixture_stop(&fixture);
}

/* ---- the end of the process; a restart of the broker ---- */

static int take_and_exit(const struct fixture *of)
{
    mb_client_options options = options_for(of);
    mb_client *shared;
    mb_lease *lease;
    return mb_client_shared(&options, &shared) == 0 && mb_acquire(shared, MIB, NULL, &lease) == 0 ? 0 : 1;
}

Test(shared_client, if_nobody_releases_it_the_end_of_the_process_does)
{
    fixture_start(&fixture, "");
    pid_t child = fork();
    if (child == 0) {
        exit(take_and_exit(&fixture)); /* exit handlers run */
    }
    cr_expect_eq(fixture_wait_child(child), 0);
    WAIT_UNTIL(sessions() == 0 && used() == 0);
    fixture_stop(&fixture);
}

static struct manager manager;

Test(shared_client, it_outlives_a_restart_of_the_broker)
{
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    mb_client_options options = options_for(&fixture);
    mb_lease *lease;
    mb_client *shared = share(&options);
    cr_assert(mb_acquire(shared, MIB, NULL, &lease) == 0);
    manager_restart(&manager, SIGKILL);
    cr_expect(share(&options) == shared);
    fixture_wait_connected(shared);
    cr_expect(mb_lease_check(lease) == 0);
    mb_client_shared_release(shared);
    mb_client_shared_release(shared);
    WAIT_UNTIL(used() == 0);
    manager_stop(&manager);
}
