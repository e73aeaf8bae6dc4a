/* SPDX-License-Identifier: Apache-2.0 */
/* Whose namespace a process is in, by pidfd and by /proc: the second is what kernels before 6.11 have. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/os/user_namespace.h"
#include "proto/base/cleanup.h"

static bool write_own(const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/%s", name);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A namespace in which we are root: a user who is not mapped can't create a nested one. */
static bool make_namespace(void)
{
    char users[32], groups[32];
    (void)snprintf(users, sizeof users, "0 %u 1\n", geteuid());
    (void)snprintf(groups, sizeof groups, "0 %u 1\n", getegid());
    return unshare(CLONE_NEWUSER) == 0 && write_own("uid_map", users) && write_own("setgroups", "deny") &&
           write_own("gid_map", groups);
}

/* A child, two namespaces down if it is to have its own; -1 where the kernel allows none. */
static pid_t start(bool is_below)
{
    int ready[2];
    char byte = 0;
    cr_assert(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool is_there = !is_below || (make_namespace() && make_namespace());
        (void)!write(ready[1], &(char){is_there}, 1);
        (void)pause();
        _exit(0);
    }
    cr_assert(read(ready[0], &byte, 1) == 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return byte ? child : -1;
}

static void end(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static int open_pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    cr_assert(fd >= 0);
    return fd;
}

Test(user_namespace, a_process_of_our_own_has_no_owner)
{
    uint32_t owner = 7;
    pid_t child = start(false);
    cleanup(fd_closep) int pidfd = open_pidfd(child);
    cr_expect_eq(user_namespace_owner(pidfd, &owner), 1);
    end(child);
    cr_expect_eq(user_namespace_owner(pidfd, &owner), -ESRCH, "it has ended");
}

Test(user_namespace, the_outermost_namespace_counts)
{
    uint32_t owner = 7;
    pid_t child = start(true);
    if (child < 0) {
        cr_skip("this kernel lets us make no user namespace");
    }
    cleanup(fd_closep) int pidfd = open_pidfd(child);
    cr_expect_eq(user_namespace_owner(pidfd, &owner), 0);
    cr_expect_eq(owner, getuid());
    end(child);
}

Test(user_namespace, the_owner_is_the_same_through_proc)
{
    struct stat a, b;
    pid_t child = start(true);
    if (child < 0) {
        cr_skip("this kernel lets us make no user namespace");
    }
    cleanup(fd_closep) int pidfd = open_pidfd(child);
    cleanup(fd_closep) int direct = user_namespace_open(pidfd);
    cleanup(fd_closep) int by_proc = user_namespace_open_by_proc(pidfd);
    cr_assert(direct >= 0 && by_proc >= 0, "%d %d", direct, by_proc);
    cr_assert(fstat(direct, &a) == 0 && fstat(by_proc, &b) == 0);
    cr_expect(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    end(child);
    cr_expect_eq(user_namespace_open_by_proc(pidfd), -ESRCH, "its number may be another's");
}
