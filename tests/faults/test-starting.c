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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/faults/faults.h"
#include "tests/faults/scenario.h"

TestSuite(starting, .timeout = 7200);

static struct fixture fixture;

static void run(void)
{
    char path[640];
    fixture_program("membrokerd", path, sizeof path);
    int log = open(fixture.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(log, STDERR_FILENO);
    (void)setenv("LD_PRELOAD", getenv("MANAGER_PRELOAD"), 1);
    (void)execl(path, path, "--config", fixture.config, (char *)NULL);
    _exit(127);
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

static void strike_while_starting(const struct fault *fault)
{
    char failure[512];
    int status;
    fixture.daemon = fork();
    if (fixture.daemon == 0) {
        run();
    }
    bool is_up = comes_up(&status);
    if (is_up) {
        fault_disarm();
        cr_assert(scenario_next_client(&fixture, failure, sizeof failure), "%s: not served: %s", fault_at, failure);
        fixture_audit(&fixture);
        (void)kill(fixture.daemon, SIGTERM);
        cr_assert(waitpid(fixture.daemon, &status, 0) == fixture.daemon);
    }
    fault_disarm();
    bool was_killed = WIFSIGNALED(status) && !fault_may_end_the_daemon(fault);
    cr_assert(!was_killed, "%s: status %#x", fault_at, status);
    cr_assert(is_up || has_said_why(), "%s: it ended without a word", fault_at);
}

Test(starting, every_fault)
{
    sweep_begin();
    fixture_prepare(&fixture, "");
    sweep(strike_while_starting);
    sweep_end();
    fixture_remove(&fixture);
}
