/* SPDX-License-Identifier: Apache-2.0 */
/* The file of reservations: whose it is, what becomes of a bad one, and of one that can't be written. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/members.h"

TestSuite(kept_reservations, .timeout = 120);

#define LIMITS "[limits]\nmax_physical_bytes = 64M\n"

/* The names of all of them, each with a space behind it. */
static const char *names(const struct fixture *fixture)
{
    static char all[256];
    struct request list = {.kind = REQUEST_LIST, .id = 9, .list = {.what = LIST_RESERVATIONS}};
    struct reply reply;
    size_t length = 0;
    cleanup(fd_closep) int monitor = fixture_socket(fixture);
    cr_assert(fixture_hello(monitor, true, &reply, NULL) && fixture_exchange(monitor, &list, &reply, NULL));
    cr_assert_eq(reply.kind, REPLY_LISTING);
    all[0] = '\0';
    for (size_t i = 0; i < reply.listing.reservation_count && length < sizeof all; i++) {
        length += (size_t)snprintf(all + length, sizeof all - length, "%s ", reply.listing.reservations[i].name);
    }
    return all;
}

static void reserve(const struct fixture *fixture, const char *name)
{
    cr_assert_eq(members_ctl(fixture, NULL, "reserve", name, "--bytes", "1M", NULL), 0);
}

static void end_daemon(const struct fixture *fixture, int signal)
{
    cr_assert(kill(fixture->daemon, signal) == 0);
    cr_assert(waitpid(fixture->daemon, NULL, 0) == fixture->daemon);
}

static void start_again(struct fixture *fixture, int signal)
{
    end_daemon(fixture, signal);
    (void)unlink(fixture->socket);
    fixture_launch(fixture);
}

static void file_of(const struct fixture *fixture, const char *behind, char ret[128])
{
    (void)snprintf(ret, 128, "%s.reservations%s", fixture->socket, behind);
}

Test(kept_reservations, brokers_in_one_directory_have_a_file_each)
{
    struct fixture one, two;
    fixture_start(&one, LIMITS);
    fixture_prepare(&two, LIMITS);
    (void)snprintf(two.socket, sizeof two.socket, "%s/other", one.directory);
    fixture_write_config(&two, LIMITS);
    fixture_launch(&two);
    reserve(&one, "first");
    reserve(&two, "second");
    start_again(&one, SIGKILL);
    start_again(&two, SIGTERM);
    cr_expect_str_eq(names(&one), "first ");
    cr_expect_str_eq(names(&two), "second ");
    cr_assert_eq(members_ctl(&one, NULL, "unreserve", "first", NULL), 0);
    WAIT_UNTIL(!*names(&one));
    start_again(&two, SIGKILL);
    cr_expect_str_eq(names(&two), "second ");
    fixture_stop(&two);
    fixture_stop(&one);
}

Test(kept_reservations, a_file_that_somebody_else_put_there_is_not_read)
{
    struct fixture fixture;
    char file[128], moved[128];
    fixture_start(&fixture, LIMITS);
    reserve(&fixture, "job");
    file_of(&fixture, "", file);
    (void)snprintf(moved, sizeof moved, "%s/moved", fixture.directory);
    end_daemon(&fixture, SIGKILL);
    cr_assert(rename(file, moved) == 0 && symlink(moved, file) == 0);
    (void)unlink(fixture.socket);
    fixture_launch(&fixture);
    cr_expect_str_eq(names(&fixture), "");
    cr_expect(fixture_log_has(&fixture, "not all reservations could be taken over: Operation not permitted"));
    end_daemon(&fixture, SIGKILL);
    cr_assert(rename(moved, file) == 0);
    (void)unlink(fixture.socket);
    fixture_launch(&fixture);
    cr_expect_str_eq(names(&fixture), "job ");
    fixture_stop(&fixture);
}

/* A directory is where the new file would be written. */
Test(kept_reservations, a_file_that_cant_be_written_is_written_as_soon_as_it_can_be)
{
    struct fixture fixture;
    char beside[128];
    fixture_start(&fixture, LIMITS);
    file_of(&fixture, ".new", beside);
    reserve(&fixture, "before");
    cr_assert(mkdir(beside, 0700) == 0);
    reserve(&fixture, "job");
    cr_expect_str_eq(names(&fixture), "before job ", "it is in force all the same");
    cr_expect(fixture_log_has(&fixture, ".reservations can't be written (Is a directory), and is tried again"));
    start_again(&fixture, SIGKILL);
    cr_expect_str_eq(names(&fixture), "before ", "it was killed before the file was written");
    reserve(&fixture, "job");
    cr_assert(rmdir(beside) == 0);
    WAIT_UNTIL(fixture_log_has(&fixture, ".reservations is written again"));
    start_again(&fixture, SIGKILL);
    cr_expect_str_eq(names(&fixture), "before job ");
    fixture_stop(&fixture);
}

static void expect_nothing_of(struct fixture *fixture, const char *text)
{
    char file[128];
    file_of(fixture, "", file);
    end_daemon(fixture, SIGKILL);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
    (void)unlink(fixture->socket);
    fixture_launch(fixture);
    cr_expect_str_eq(names(fixture), "", "%s", text);
}

/* They end with the machine: another boot's are not read. */
Test(kept_reservations, those_of_another_boot_and_those_that_make_no_sense_are_not_taken_over)
{
    struct fixture fixture;
    fixture_start(&fixture, LIMITS);
    reserve(&fixture, "job");
    expect_nothing_of(&fixture, "membroker reservations 1 00000000-0000-4000-8000-000000000000\n"
                                "0 1048576 0 0 0 0 0 0 0 0 job\n");
    cr_expect_not(fixture_log_has(&fixture, "not all reservations"));
    reserve(&fixture, "job");
    expect_nothing_of(&fixture, "membroker reservations 2\n");
    cr_expect(fixture_log_has(&fixture, "not all reservations could be taken over: Invalid argument"));
    reserve(&fixture, "job");
    expect_nothing_of(&fixture, "");
    fixture_stop(&fixture);
}
