/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is replaced whole or not at all: each call fails in turn, or writes less than it was given. The program is
 * linked so that the calls come through here.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/os/replace_file.h"

static long countdown; /* the call that finds 1 fails */
static int failure;
static bool is_short; /* every write is */

int __real_rename(const char *from, const char *to);
int __real_fsync(int fd);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __wrap_rename(const char *from, const char *to);
int __wrap_fsync(int fd);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

static bool strikes(void)
{
    bool now = countdown > 0 && --countdown == 0;
    errno = now ? failure : errno;
    return now;
}

int __wrap_rename(const char *from, const char *to)
{
    return strikes() ? -1 : __real_rename(from, to);
}

int __wrap_fsync(int fd)
{
    return strikes() ? -1 : __real_fsync(fd);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    return strikes() ? -1 : __real_write(fd, bytes, is_short ? (size + 1) / 2 : size);
}

static char directory[] = "/tmp/membroker-replace-XXXXXX", path[64], beside[64];

static void begin(void)
{
    cr_assert(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/below/file", directory);
    (void)snprintf(beside, sizeof beside, "%s.new", path);
}

static void end(void)
{
    (void)unlink(path);
    (void)rmdir(strcat(strcpy(beside, directory), "/below"));
    cr_expect(rmdir(directory) == 0, "something was left");
}

static void expect_content(const char *content)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0);
    cr_expect(read(fd, text, sizeof text - 1) >= 0);
    (void)close(fd);
    cr_expect_str_eq(text, content);
    cr_expect(access(beside, F_OK) < 0, "the new one is left beside it");
}

TestSuite(replace_file, .init = begin, .fini = end);

Test(replace_file, the_directory_is_created_and_short_writes_continue)
{
    is_short = true;
    cr_assert_eq(replace_file(path, "0123456789", 10), 0);
    expect_content("0123456789");
    failure = EINTR;
    countdown = 2;
    cr_assert_eq(replace_file(path, "9876543210", 10), 0);
    expect_content("9876543210");
    is_short = false;
    cr_assert_eq(replace_file(path, "", 0), 0);
    expect_content("");
}

Test(replace_file, a_failure_leaves_the_old_file_and_no_other)
{
    static const int failures[] = {ENOSPC, EIO, EDQUOT};
    cr_assert_eq(replace_file(path, "old", 3), 0);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        for (long call = 1; call <= 3; call++) { /* write, fsync, rename */
            failure = failures[i];
            countdown = call;
            cr_expect_eq(replace_file(path, "new", 3), -failures[i], "call %ld", call);
            expect_content("old");
        }
    }
    cr_expect_eq(replace_file("/proc/nowhere/at/all", "new", 3), -ENOENT);
}

/* As ~/.local/state in a home that is new. */
Test(replace_file, missing_directories_are_created)
{
    char file[96], upper[96], lower[96];
    (void)snprintf(upper, sizeof upper, "%s/below/a", directory);
    (void)snprintf(lower, sizeof lower, "%s/b", upper);
    (void)snprintf(file, sizeof file, "%s/file", lower);
    cr_expect_eq(replace_file(file, "x", 1), 0);
    cr_expect(unlink(file) == 0 && rmdir(lower) == 0 && rmdir(upper) == 0, "%s", strerror(errno));
}
