/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon that has no service manager starts and ends while calls fail: it serves, or it says why it can't and leaves
 * nothing behind. It is never killed by a signal.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "tests/faults/faults.h"
#include "tests/faults/scenario.h"

TestSuite(starting, .timeout = 7200);

static struct fixture fixture;
static char given[128]; /* the socket that the daemon is told to watch for memory pressure; empty: none */

static void run(void)
{
    char path[640];
    fixture_program("membrokerd", path, sizeof path);
    int log = open(fixture.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(log, STDERR_FILENO);
    (void)setenv("LD_PRELOAD", getenv("MANAGER_PRELOAD"), 1);
    if (given[0]) {
        (void)setenv("MEMORY_PRESSURE_WATCH", given, 1);
        (void)setenv("MEMORY_PRESSURE_WRITE", "c29tZSAxMDAgMTAwMA==", 1);
    }
    (void)execl(path, path, "--config", fixture.config, (char *)NULL);
    _exit(127);
}

/* As a daemon that was killed leaves it. */
static void leave_a_stale_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", fixture.socket);
    (void)unlink(fixture.socket);
    cr_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
}

static bool answers(void)
{
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    return fd >= 0;
}

/* Waits until it serves, true, or has ended, with its status. */
static bool comes_up(int *ret_status)
{
    for (;;) {
        if (waitpid(fixture.daemon, ret_status, WNOHANG) == fixture.daemon) {
            return false;
        }
        if (answers()) {
            return true;
        }
        sleep_ms(1);
    }
}

static bool has_said_why(void)
{
    char text[65536] = "";
    cleanup(fd_closep) int fd = open(fixture.log, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, text, sizeof text - 1);
    return length > 0 && strstr(text, "membrokerd: ");
}

/* Ends with the daemon's, or within two seconds; true: it has ended. */
static bool has_ended(int *ret_status)
{
    for (int waited_ms = 0; waited_ms < 2000; waited_ms++) {
        if (waitpid(fixture.daemon, ret_status, WNOHANG) == fixture.daemon) {
            return true;
        }
        sleep_ms(1);
    }
    return false;
}

static void serve_and_end(int *ret_status)
{
    fixture_audit(&fixture);
    (void)kill(fixture.daemon, SIGTERM);
    cr_assert(waitpid(fixture.daemon, ret_status, 0) == fixture.daemon);
}

/* On a busy machine the broker may not know yet which workers the fault struck. A request takes two of them. */
static bool serves_again(char *failure, size_t size)
{
    bool is_served = false;
    for (int i = 0; i < 3 && !is_served; i++) {
        is_served = scenario_next_client(&fixture, failure, size);
    }
    return is_served;
}

static void strike_while_starting(const struct fault *fault)
{
    char failure[512];
    struct status_reply ignored;
    int status;
    (void)fault;
    leave_a_stale_socket();
    fixture.daemon = fork();
    if (fixture.daemon == 0) {
        run();
    }
    bool is_up = comes_up(&status);
    if (is_up) {
        (void)fixture_try_status(&fixture, &ignored); /* the first to come may be the one whom the fault strikes */
        fault_disarm();
        is_up = serves_again(failure, sizeof failure);
        cr_assert(is_up || has_ended(&status), "%s: not served: %s", fault_at, failure);
    }
    if (is_up) {
        serve_and_end(&status);
    }
    fault_disarm();
    /* libuv ends the process if its loop can't be created; there is no client yet */
    bool was_libuv = WIFSIGNALED(status) && atomic_load(&fault_control->was_in_libuv);
    cr_assert(was_libuv || !WIFSIGNALED(status), "%s: status %#x", fault_at, status);
    cr_assert(was_libuv || is_up || has_said_why(), "%s: it ended without a word", fault_at);
}

Test(starting, every_fault)
{
    sweep_begin();
    fixture_prepare(&fixture, "");
    sweep(strike_while_starting);
    sweep_end();
    (void)unlink(fixture.socket);
    fixture_remove(&fixture);
}

/* What such a socket takes, and no other start does. */
static void strike_while_told(const struct fault *fault)
{
    if (fault->call == FAULT_send || fault->call == FAULT_connect || fault->call == FAULT_stat) {
        strike_while_starting(fault);
    } else {
        fault_disarm();
    }
}

Test(starting, with_a_pressure_socket_from_the_service_manager)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    sweep_begin();
    fixture_prepare(&fixture, "");
    (void)snprintf(given, sizeof given, "%s/pressure", fixture.directory);
    text_copy(address.sun_path, sizeof address.sun_path, given);
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0);
    sweep(strike_while_told);
    sweep_end();
    (void)unlink(given);
    (void)unlink(fixture.socket);
    fixture_remove(&fixture);
}
