/* SPDX-License-Identifier: Apache-2.0 */
/* The text of /proc/PID/cgroup counts only while the process that is meant has that number. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/os/process.h"

TestSuite(process);

enum { TEXT_SIZE = 65536 };

static char text[TEXT_SIZE];

Test(process, the_control_groups_of_a_living_process_are_read)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    cr_assert_geq(pidfd, 0);
    cr_expect_eq(process_read_control_groups(getpid(), pidfd, text, sizeof text), 0);
    cr_expect(strstr(text, ":/"), "%s", text);
    size_t length = strlen(text);
    cr_expect_eq(process_read_control_groups(getpid(), pidfd, text, length), -E2BIG, "no room for its end");
    cr_expect_eq(process_read_control_groups(getpid(), pidfd, text, length + 1), 0);
    (void)close(pidfd);
}

Test(process, the_control_groups_of_one_that_ended_are_void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
    }
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    cr_assert_geq(pidfd, 0);
    cr_expect_eq(process_read_control_groups(child, pidfd, text, sizeof text), 0);
    (void)kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_expect_eq(process_read_control_groups(child, pidfd, text, sizeof text), -ESRCH);
    cr_expect_eq(process_read_control_groups(getpid(), pidfd, text, sizeof text), -ESRCH,
                 "the number is another process's now");
    (void)close(pidfd);
}

Test(process, a_process_that_cannot_be_watched_has_unknown_control_groups)
{
    cr_expect_eq(process_read_control_groups(0, -EBADF, text, sizeof text), -ENOSYS, "of another pid namespace");
    cr_expect_eq(process_read_control_groups(getpid(), -EBADF, text, sizeof text), -ENOSYS);
}
