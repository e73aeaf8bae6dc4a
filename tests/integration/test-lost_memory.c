/* SPDX-License-Identifier: Apache-2.0 */
/* What a program without the guard says when it touches lost memory, and whose handler is called. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

TestSuite(lost_memory, .timeout = 60);

enum { BYTES = 65536, OWN_HANDLER = 42 };

static void on_bus(int number)
{
    (void)number;
    _exit(OWN_HANDLER);
}

static mb_lease *acquire(mb_client *client, char **ret_address)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease = NULL;
    void *address = NULL;
    options.name = "scratch";
    if (mb_acquire(client, BYTES, &options, &lease) < 0 || mb_map(lease, 0, &address, NULL) < 0) {
        _exit(1);
    }
    *ret_address = address;
    return lease;
}

static int touch_lost(const struct fixture *fixture)
{
    char *address;
    mb_client *client = fixture_connect(fixture, 0);
    fixture_lose(fixture, acquire(client, &address));
    *(volatile char *)address = 1;
    return 0;
}

static int touch_lost_with_a_handler(const struct fixture *fixture)
{
    (void)signal(SIGBUS, on_bus);
    return touch_lost(fixture);
}

/* The handler comes between a client that is not guarded and one that is. */
static int touch_guarded(const struct fixture *fixture)
{
    char *address;
    mb_client *first = fixture_connect(fixture, 0);
    (void)signal(SIGBUS, on_bus);
    mb_client *guarded = fixture_connect(fixture, MB_CLIENT_GUARD);
    fixture_lose(fixture, acquire(guarded, &address));
    bool is_zero = *(volatile char *)address == 0;
    mb_disconnect(first);
    return is_zero ? 3 : 4;
}

static int touch_unguarded_beside(const struct fixture *fixture)
{
    (void)fixture_connect(fixture, MB_CLIENT_GUARD);
    return touch_lost(fixture);
}

static int touch_what_is_not_ours(const struct fixture *fixture)
{
    (void)fixture_connect(fixture, 0);
    int fd = memfd_create("other", MFD_CLOEXEC);
    volatile char *address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    address[0] = 1; /* beyond the end */
    return 0;
}

/* More mappings than the table began with, most of them gone again. */
static int touch_one_of_many(const struct fixture *fixture)
{
    enum { MANY = 200 };
    static mb_lease *leases[MANY];
    char *address = NULL, *other;
    mb_client *client = fixture_connect(fixture, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            leases[i] = acquire(client, i == MANY / 2 ? &address : &other);
        }
        for (int i = 0; i < MANY && round == 0; i++) {
            (void)mb_release(leases[i]);
        }
    }
    fixture_lose(fixture, leases[MANY / 2]);
    *(volatile char *)address = 1;
    return 0;
}

/* Runs `body` in a child and gives what it wrote to standard error, and its status. */
static int run(int (*body)(const struct fixture *), char *said, size_t size)
{
    struct fixture fixture;
    int ends[2], status;
    fixture_start(&fixture, "");
    cr_assert(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGBUS, SIG_DFL);
        _exit(body(&fixture));
    }
    (void)close(ends[1]);
    size_t got = 0;
    ssize_t more;
    while (got < size - 1 && (more = read(ends[0], said + got, size - 1 - got)) > 0) {
        got += (size_t)more;
    }
    said[got] = '\0';
    (void)close(ends[0]);
    cr_assert(waitpid(child, &status, 0) == child);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
    return status;
}

static bool is_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

Test(lost_memory, without_the_guard_one_line_names_the_lease_and_the_program_is_killed)
{
    char said[1024];
    cr_expect(is_killed(run(touch_lost, said, sizeof said)));
    cr_expect_str_eq(said,
                     "membroker: lease 1 (scratch) is lost: it was revoked. This program touched its memory, which "
                     "is SIGBUS; with MB_CLIENT_GUARD it finds zeros there\n");
    cr_expect(is_killed(run(touch_unguarded_beside, said, sizeof said)), "the guard of another client is not its own");
    cr_expect(strstr(said, "lease 1 (scratch)"), "%s", said);
    cr_expect(is_killed(run(touch_one_of_many, said, sizeof said)));
    cr_expect(strstr(said, "lease 301 (scratch)"), "%s", said);
}

Test(lost_memory, the_programs_own_handler_is_called_instead)
{
    char said[1024];
    int status = run(touch_lost_with_a_handler, said, sizeof said);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == OWN_HANDLER, "status %#x", status);
    cr_expect_str_empty(said);
}

Test(lost_memory, the_guard_replaces_a_handler_that_was_installed_later)
{
    char said[1024];
    int status = run(touch_guarded, said, sizeof said);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 3, "status %#x", status);
    cr_expect_str_empty(said);
}

Test(lost_memory, an_unrelated_sigbus_is_not_explained)
{
    char said[1024];
    cr_expect(is_killed(run(touch_what_is_not_ours, said, sizeof said)));
    cr_expect_str_empty(said);
}
