/* SPDX-License-Identifier: Apache-2.0 */
/* What a client that connected has, and what it makes when it first needs it. */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

TestSuite(connecting, .timeout = 120);

static struct fixture fixture;

static int entries_of(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    cr_assert(directory != NULL);
    while (readdir(directory)) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

static int threads(void)
{
    return entries_of("/proc/self/task");
}

static int descriptors(void)
{
    return entries_of("/proc/self/fd");
}

static mb_lease *take(mb_client *client)
{
    mb_lease *lease = NULL;
    cr_assert_eq(mb_acquire(client, 4096, NULL, &lease), 0, "%s", mb_last_error());
    return lease;
}

static void ignore(const mb_event *event, void *user_data)
{
    (void)event;
    (void)user_data;
}

Test(connecting, the_thread_and_its_descriptor_come_with_the_first_lease)
{
    fixture_start(&fixture, "");
    int threads_before = threads(), descriptors_before = descriptors();
    mb_client *client = fixture_connect(&fixture, 0);
    cr_expect_eq(mb_ping(client), 0, "%s", mb_last_error());
    cr_expect_eq(threads(), threads_before);
    cr_expect_eq(descriptors(), descriptors_before + 1, "only the socket");
    mb_lease *lease = take(client);
    cr_expect_eq(threads(), threads_before + 1);
    (void)mb_release(lease);
    cr_expect_eq(descriptors(), descriptors_before + 2);
    mb_disconnect(client);
    cr_expect_eq(threads(), threads_before);
    cr_expect_eq(descriptors(), descriptors_before);
    fixture_stop(&fixture);
}

Test(connecting, a_program_that_wants_events_has_the_thread_at_once)
{
    fixture_start(&fixture, "");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    int before = threads();
    options.socket = fixture.socket;
    options.on_event = ignore;
    cr_assert_eq(mb_connect(&options, &client), 0, "%s", mb_last_error());
    cr_expect_eq(threads(), before + 1);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(connecting, a_client_that_only_asks_for_the_pressure_has_the_thread)
{
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    int before = threads();
    (void)mb_client_pressure(client);
    cr_expect_eq(threads(), before + 1);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* What malloc() has given out; 0 under a sanitizer. */
static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

Test(connecting, a_session_and_a_lease_take_little_memory)
{
    enum { LEASES = 100 };
    static mb_lease *leases[LEASES];
    fixture_start(&fixture, "");
    mb_disconnect(fixture_connect(&fixture, MB_CLIENT_NO_THREAD)); /* what a process has once exists now */
    size_t before = allocated();
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    size_t session = allocated() - before;
    cr_expect_leq(session, 100000, "%zu bytes, of which the 64 KiB for packets are hardly ever touched", session);
    before = allocated();
    for (int i = 0; i < LEASES; i++) {
        leases[i] = take(client);
    }
    size_t lease = (allocated() - before) / LEASES;
    cr_expect_leq(lease, 300, "%zu bytes", lease);
    for (int i = 0; i < LEASES; i++) {
        (void)mb_release(leases[i]);
    }
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* No handler of fork() runs in such a child. */
static int ends_in_clone(mb_client *client)
{
    int status = 0;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        _exit(mb_ping(client) == -EPERM && mb_ping(client) == -EPERM ? 0 : 1);
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

Test(connecting, a_child_made_without_fork_has_no_client_either)
{
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    cr_expect_eq(ends_in_clone(client), 0);
    cr_expect_eq(mb_ping(client), 0, "%s", mb_last_error());
    mb_disconnect(client);
    fixture_stop(&fixture);
}

/* A fork() tells the kernel which mappings to keep from the child: those that a fork before it told it, and new ones.
 */
static int touch(const char *memory)
{
    return *(const volatile char *)memory;
}

static int touch_in_child(const char *memory)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        _exit(touch(memory));
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* The locks that a fork() takes are free in the child. */
static int fork_twice(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        child = fork();
        _exit(child == 0 ? 0 : waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static char *map(mb_lease *lease)
{
    void *memory = NULL;
    cr_assert_eq(mb_map(lease, 0, &memory, NULL), 0, "%s", mb_last_error());
    return memory;
}

Test(connecting, children_of_each_fork_get_no_mapping)
{
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    mb_client *sharing = fixture_connect(&fixture, MB_CLIENT_NO_THREAD | MB_CLIENT_SHARE_WITH_CHILDREN);
    const char *first = map(take(client)), *shared = map(take(sharing));
    cr_expect_eq(touch_in_child(first), SIGSEGV);
    const char *second = map(take(client));
    cr_expect_eq(touch_in_child(first), SIGSEGV);
    cr_expect_eq(touch_in_child(second), SIGSEGV);
    cr_expect_eq(touch_in_child(shared), 0);
    cr_expect_eq(fork_twice(), 0);
    mb_disconnect(sharing);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(connecting, without_a_thread_there_is_none_even_with_leases)
{
    fixture_start(&fixture, "");
    int threads_before = threads(), descriptors_before = descriptors();
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    (void)mb_release(take(client));
    (void)mb_client_pressure(client);
    cr_expect_eq(threads(), threads_before);
    cr_expect_eq(descriptors(), descriptors_before + 1, "only the socket");
    int fd = mb_client_fd(client);
    cr_expect(fd >= 0 && mb_client_fd(client) == fd, "%s", mb_last_error());
    mb_disconnect(client);
    cr_expect_eq(descriptors(), descriptors_before);
    fixture_stop(&fixture);
}
