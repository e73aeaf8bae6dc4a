/* SPDX-License-Identifier: Apache-2.0 */
/* Starting: who may be in the way of a daemon that wants to listen, and who may not. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

enum { STRANGER = 65534 };

TestSuite(starting, .timeout = 60);

/* A child, as another user, that locks the directory and everything in it that it can open. */
static pid_t lock_as_stranger(const struct fixture *fixture, int *ret_ready)
{
    int ready[2];
    char byte = 0;
    cr_assert(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        bool is_done = setgid(STRANGER) == 0 && setuid(STRANGER) == 0;
        int fd = open(fixture->directory, O_RDONLY | O_DIRECTORY);
        is_done = is_done && fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
        (void)!write(ready[1], &(char){is_done}, 1);
        (void)pause();
        _exit(0);
    }
    (void)close(ready[1]);
    *ret_ready = ready[0];
    cr_assert(read(ready[0], &byte, 1) == 1 && byte, "the stranger could not lock the directory");
    return child;
}

static void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static void lock_path(const struct fixture *fixture, char *path, size_t size)
{
    (void)snprintf(path, size, "%s.lock", fixture->socket);
}

Test(starting, another_users_lock_on_the_directory_does_not_prevent_a_start)
{
    struct fixture fixture;
    char path[128];
    cleanup(fd_closep) int ready = -EBADF;
    if (geteuid() != 0) {
        cr_skip_test("only root can become another user");
    }
    fixture_prepare(&fixture, "");
    cr_assert(chmod(fixture.directory, 0755) == 0);
    pid_t stranger = lock_as_stranger(&fixture, &ready);
    fixture_launch(&fixture);
    lock_path(&fixture, path, sizeof path);
    cr_expect(access(path, F_OK) < 0, "the lock's file is left behind");
    fixture_stop(&fixture);
    end_child(stranger);
}

Test(starting, the_lock_file_of_a_killed_daemon_is_taken_over)
{
    struct fixture fixture;
    char path[128];
    fixture_prepare(&fixture, "");
    lock_path(&fixture, path, sizeof path);
    cleanup(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    fixture_launch(&fixture);
    cr_expect(access(path, F_OK) < 0, "the lock's file is left behind");
    fixture_stop(&fixture);
}

/* Runs a daemon that is expected to end by itself, and looks for a word in what it said. */
static void expect_refusal(const struct fixture *fixture, const char *word)
{
    char command[1024], daemon[512];
    fixture_program("membrokerd", daemon, sizeof daemon);
    (void)snprintf(command, sizeof command, "timeout 20 %s --config %s 2>&1 | grep -q '%s'", daemon, fixture->config,
                   word);
    cr_expect(system(command) == 0, "not refused with \"%s\"", word);
}

Test(starting, a_lock_that_is_held_or_strange_is_named)
{
    struct fixture fixture;
    char path[128];
    fixture_prepare(&fixture, "");
    lock_path(&fixture, path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
    expect_refusal(&fixture, "is starting and has locked");
    (void)close(fd);
    cr_assert(chmod(path, 0644) == 0);
    expect_refusal(&fixture, "mode 0600: remove it");
    cr_assert(unlink(path) == 0 && symlink("/etc/passwd", path) == 0);
    expect_refusal(&fixture, "mode 0600: remove it");
    cr_assert(unlink(path) == 0);
    fixture_launch(&fixture);
    fixture_stop(&fixture);
}
