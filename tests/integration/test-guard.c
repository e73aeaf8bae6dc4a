/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard while other threads access a lease that is lost, and what becomes of a SIGBUS that is not the guard's. A
 * thread that comes to the handler late is played by a signal that says what the kernel would say.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/manager.h"

TestSuite(guard, .timeout = 60);

enum { BYTES = 65536, GOOD = 7, BAD = 8, OWN_HANDLER = 42 };

static volatile char *touched_first;

/* The library's calls come here too. While it replaces a mapping, an access to it happens. */
__attribute__((visibility("default"))) void *mmap(void *address, size_t bytes, int protection, int flags, int fd,
                                                  off_t offset)
{
    volatile char *touched = touched_first;
    if (touched && (flags & MAP_FIXED)) {
        touched_first = NULL;
        (void)*touched;
    }
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

static void expect(bool condition)
{
    if (!condition) {
        _exit(BAD);
    }
}

/* A lease without pages. */
static mb_lease *lost_lease(const struct fixture *fixture, mb_client *client, volatile char **ret)
{
    mb_lease *lease = NULL;
    void *address = NULL;
    expect(mb_acquire(client, BYTES, NULL, &lease) == 0 && mb_map(lease, 0, &address, NULL) == 0);
    fixture_lose(fixture, lease);
    *ret = address;
    return lease;
}

static void come_late(const volatile void *address)
{
    siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_ADRERR};
    info.si_addr = (void *)(uintptr_t)address;
    expect(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0);
}

static int check_guard(const struct fixture *fixture, mb_client *client)
{
    volatile char *address;
    (void)lost_lease(fixture, client, &address);
    return *address == 0 ? GOOD : BAD;
}

/* Runs `body` in a child and gives its status. */
static int run(int (*body)(const struct fixture *))
{
    struct fixture fixture;
    int status;
    fixture_start(&fixture, "");
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGBUS, SIG_DFL);
        _exit(body(&fixture));
    }
    cr_assert(waitpid(child, &status, 0) == child);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
    return status;
}

static bool ended_with(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static bool is_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

/* ---- accesses while a lost lease goes ---- */

static int touch_while_zeros_come(const struct fixture *fixture)
{
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    volatile char *address;
    mb_lease *lease = lost_lease(fixture, client, &address);
    touched_first = address;
    (void)mb_release_to_zeros(lease);
    return !touched_first && *address == 0 ? GOOD : BAD;
}

Test(guard, an_access_while_zeros_take_the_place_of_a_lost_lease_finds_zeros)
{
    cr_expect(ended_with(run(touch_while_zeros_come), GOOD));
}

static int come_after_the_release(const struct fixture *fixture)
{
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    volatile char *address;
    (void)mb_release_to_zeros(lost_lease(fixture, client, &address));
    *address = 1;
    come_late(address + BYTES - 1);
    expect(*address == 1 && mb_lease_from_address((const void *)(uintptr_t)address) == NULL);
    return check_guard(fixture, client);
}

Test(guard, a_thread_may_come_to_the_handler_after_the_release_to_zeros)
{
    cr_expect(ended_with(run(come_after_the_release), GOOD));
}

static int come_second(const struct fixture *fixture)
{
    volatile char *address;
    (void)lost_lease(fixture, fixture_connect(fixture, MB_CLIENT_GUARD), &address);
    *address = 1;
    come_late(address);
    return *address == 1 ? GOOD : BAD;
}

Test(guard, zeros_are_mapped_once_so_that_a_second_thread_does_not_undo_writes_to_them)
{
    cr_expect(ended_with(run(come_second), GOOD));
}

/* The zeros of a range are the program's, and it maps a file there whose end it passes. */
static int touch_what_took_the_place(const struct fixture *fixture)
{
    volatile char *address;
    (void)mb_release_to_zeros(lost_lease(fixture, fixture_connect(fixture, MB_CLIENT_GUARD), &address));
    int fd = memfd_create("other", MFD_CLOEXEC);
    void *mapped = mmap((void *)(uintptr_t)address, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    expect(mapped == (const volatile void *)address);
    *address = 1;
    return BAD;
}

Test(guard, a_range_that_was_left_to_the_program_is_not_guarded_forever)
{
    cr_expect(is_killed(run(touch_what_took_the_place)));
}

/* More ranges than the table has room for at first. The mapping that takes their place is guarded. */
static int reuse_the_addresses(const struct fixture *fixture)
{
    enum { RANGES = 100 };
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    for (int i = 0; i < RANGES; i++) {
        mb_lease *lease;
        void *address;
        expect(mb_acquire(client, BYTES, NULL, &lease) == 0 && mb_map(lease, 0, &address, NULL) == 0);
        expect(mb_release_to_zeros(lease) == 0);
        expect(munmap(address, BYTES) == 0);
        if (i == RANGES / 2) {
            sleep_ms(1100); /* the table remembers for a second */
        }
    }
    return check_guard(fixture, client);
}

Test(guard, a_lease_at_addresses_that_were_left_is_guarded)
{
    cr_expect(ended_with(run(reuse_the_addresses), GOOD));
}

/* The next daemon ends the lease, and the client has not heard of that daemon. */
Test(guard, a_lease_that_ended_while_the_program_did_not_look_is_zeros)
{
    struct fixture fixture;
    static struct manager manager;
    void *address;
    mb_lease *lease;
    manager_start(&manager, &fixture, "membrokerd", NULL, "[leases]\nreconnect_grace = 200ms\n");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_GUARD | MB_CLIENT_NO_THREAD);
    cr_assert(mb_acquire(client, BYTES, NULL, &lease) == 0 && mb_map(lease, 0, &address, NULL) == 0);
    memset(address, 1, BYTES);
    manager_restart(&manager, SIGKILL);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    cr_expect_eq(*(volatile char *)address, 0);
    cr_expect_eq(mb_lease_check(lease), -ESTALE);
    mb_disconnect(client);
    manager_stop(&manager);
}

/* ---- a SIGBUS that is not the guard's ---- */

static int fail_at_a_foreign_address(const struct fixture *fixture)
{
    int own = 0;
    (void)fixture_connect(fixture, MB_CLIENT_GUARD);
    come_late(&own);
    return BAD;
}

static int ignore_and_fail(const struct fixture *fixture)
{
    (void)signal(SIGBUS, SIG_IGN);
    return fail_at_a_foreign_address(fixture);
}

Test(guard, an_access_that_failed_for_another_reason_kills_even_if_it_would_succeed_now)
{
    cr_expect(is_killed(run(fail_at_a_foreign_address)));
    cr_expect(is_killed(run(ignore_and_fail)), "the kernel ignores no access that fails");
}

static int be_sent_one(const struct fixture *fixture)
{
    (void)fixture_connect(fixture, MB_CLIENT_GUARD);
    (void)kill(getpid(), SIGBUS);
    return BAD;
}

static int ignore_what_is_sent(const struct fixture *fixture)
{
    (void)signal(SIGBUS, SIG_IGN);
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    (void)kill(getpid(), SIGBUS);
    return check_guard(fixture, client);
}

Test(guard, a_sigbus_that_another_process_sent_does_what_it_did_before)
{
    cr_expect(is_killed(run(be_sent_one)));
    cr_expect(ended_with(run(ignore_what_is_sent), GOOD));
}

static volatile sig_atomic_t calls;
static sigset_t blocked;

static void note(int number)
{
    (void)number;
    calls++;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
}

static int have_a_handler(const struct fixture *fixture)
{
    struct sigaction action = {.sa_handler = note};
    (void)sigaddset(&action.sa_mask, SIGUSR1);
    (void)sigaction(SIGBUS, &action, NULL);
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    come_late(&calls);
    expect(calls == 1 && sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGBUS));
    expect(!sigismember(&blocked, SIGUSR2));
    return check_guard(fixture, client);
}

static int have_a_handler_for_one_signal(const struct fixture *fixture)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGBUS, &action, NULL);
    mb_client *client = fixture_connect(fixture, MB_CLIENT_GUARD);
    (void)kill(getpid(), SIGBUS);
    expect(calls == 1 && check_guard(fixture, client) == GOOD);
    (void)kill(getpid(), SIGBUS);
    return BAD;
}

Test(guard, the_programs_handler_runs_as_it_would_without_the_guard)
{
    cr_expect(ended_with(run(have_a_handler), GOOD));
    cr_expect(is_killed(run(have_a_handler_for_one_signal)));
}
