/* SPDX-License-Identifier: Apache-2.0 */
/* Files that somebody else put in the place of one's own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/os/own_file.h"

static char directory[] = "/tmp/membroker-own-XXXXXX", path[64], other[64];

static void begin(void)
{
    cr_assert(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/file", directory);
    (void)snprintf(other, sizeof other, "%s/other", directory);
}

static void end(void)
{
    (void)unlink(path);
    (void)unlink(other);
    cr_expect(rmdir(directory) == 0, "something was left");
}

static void write_own(const char *at)
{
    int fd = open(at, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(write(fd, "text\n", 5) == 5);
    (void)close(fd);
}

static void expect_refused(int error)
{
    errno = 0;
    cr_expect_null(own_file_open(path));
    cr_expect_eq(errno, error);
}

TestSuite(own_file, .init = begin, .fini = end, .timeout = 20);

Test(own_file, a_file_of_ones_own_is_read)
{
    char text[16] = "";
    expect_refused(ENOENT);
    write_own(path);
    FILE *file = own_file_open(path);
    cr_assert(file);
    cr_expect(fgets(text, sizeof text, file));
    cr_expect_str_eq(text, "text\n");
    (void)fclose(file);
}

Test(own_file, a_link_a_pipe_and_a_directory_are_refused)
{
    write_own(other);
    cr_assert(symlink(other, path) == 0);
    expect_refused(EPERM);
    cr_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    expect_refused(EPERM);
    cr_assert(unlink(path) == 0 && mkdir(path, 0700) == 0);
    expect_refused(EPERM);
    cr_assert(rmdir(path) == 0);
}

Test(own_file, a_file_that_others_may_write_or_that_is_another_users_is_refused)
{
    write_own(path);
    cr_assert(chmod(path, 0620) == 0);
    expect_refused(EPERM);
    cr_assert(chmod(path, 0602) == 0);
    expect_refused(EPERM);
    cr_assert(chmod(path, 0644) == 0);
    if (geteuid() == 0) {
        cr_assert(chown(path, 1, 1) == 0);
        expect_refused(EPERM);
    }
}
