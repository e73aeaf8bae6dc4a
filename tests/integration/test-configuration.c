/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files that go bad under a running service, and at its restart. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/integration/manager.h"
#include "tests/integration/workspaces.h"

TestSuite(configuration, .timeout = 60);

static struct manager manager;

#define GOOD "[limits]\nmax_physical_bytes = 64M\n"
#define BAD  "[limits]\nmax_physical_bytes = nonsense\n"

/* Asks for a reload; the answer's sentence, or "" where it was done. */
static const char *reload(void)
{
    static struct reply reply;
    struct request request = {.kind = REQUEST_RELOAD, .id = 1};
    int fd = fixture_socket(&fixture);
    cr_assert(fd >= 0 && fixture_hello(fd, true, &reply, NULL));
    cr_assert(fixture_exchange(fd, &request, &reply, NULL));
    (void)close(fd);
    cr_assert(reply.kind == REPLY_DONE || reply.kind == REPLY_ERROR);
    return reply.kind == REPLY_DONE ? "" : reply.error.sentence;
}

Test(configuration, a_reload_is_answered_with_the_error)
{
    fixture_start(&fixture, GOOD);
    fixture_write_config(&fixture, BAD);
    cr_expect(strstr(reload(), "max_physical_bytes: \"nonsense\""), "%s", reload());
    cr_expect(strstr(fixture_status(&fixture).configuration_error, "nonsense"));
    cr_expect_eq(fixture_status(&fixture).limits.max_physical_bytes, 64 * MIB);
    fixture_write_config(&fixture, "[limits]\nmax_physical_bytes = 32M\n[server]\nsocket_mode = 0666\n");
    cr_expect_str_eq(reload(), "");
    cr_expect_str_eq(fixture_status(&fixture).configuration_error, "");
    cr_expect(strstr(fixture_status(&fixture).warnings, "socket_mode can't change"));
    cr_expect_eq(fixture_status(&fixture).limits.max_physical_bytes, 32 * MIB);
    fixture_stop(&fixture);
}

Test(configuration, an_error_of_any_length_leaves_the_status_readable)
{
    enum { LONG = 200000 };
    static char bad[LONG + 64] = "[limits]\nmax_physical_bytes = ";
    fixture_start(&fixture, GOOD);
    for (size_t at = strlen(bad); at < LONG; at += 2) {
        (void)strcpy(bad + at, "\xc3\xa9"); /* two bytes a letter, so that a cut may fall inside one */
    }
    (void)strcat(bad, "\n");
    fixture_write_config(&fixture, bad);
    cr_expect(*reload());
    const char *error = fixture_status(&fixture).configuration_error;
    cr_expect(strlen(error) > 1000 && strlen(error) <= 4096, "%zu", strlen(error));
    fixture_stop(&fixture);
}

static bool log_says(const char *words)
{
    char line[1024];
    bool found = false;
    FILE *log = fopen(fixture.log, "re");
    cr_assert(log);
    while (!found && fgets(line, sizeof line, log)) {
        found = strstr(line, words);
    }
    (void)fclose(log);
    return found;
}

Test(configuration, probable_mistakes_are_logged_after_a_reload)
{
    fixture_start(&fixture, GOOD);
    fixture_write_config(&fixture, GOOD "[class idle]\nweight = 2\n[user *]\nmax_physical_bytes = 65M\n");
    cr_expect_str_eq(reload(), "");
    cr_expect(log_says("[class idle] has no members"));
    cr_expect(log_says("[user *] max_physical_bytes (65 MiB) never counts: the host's is 64 MiB"));
    fixture_stop(&fixture);
}

Test(configuration, a_restart_with_a_bad_file_uses_the_last_good_configuration)
{
    mb_lease *lease;
    manager_start(&manager, &fixture, "membrokerd", NULL, GOOD);
    client = fixture_connect(&fixture, 0);
    cr_assert(mb_acquire(client, MIB, NULL, &lease) == 0, "%s", mb_last_error());
    fixture_write_config(&fixture, BAD);
    for (int round = 0; round < 2; round++) {
        manager_restart(&manager, SIGKILL);
        cr_expect_eq(fixture_status(&fixture).limits.max_physical_bytes, 64 * MIB);
        cr_expect(strstr(fixture_status(&fixture).configuration_error, "nonsense"));
        fixture_wait_connected(client);
        cr_expect_eq(mb_lease_check(lease), 0, "%s", mb_last_error());
    }
    fixture_write_config(&fixture, "[limits]\nmax_physical_bytes = 48M\n");
    cr_expect_str_eq(reload(), "");
    cr_expect_str_eq(fixture_status(&fixture).configuration_error, "");
    fixture_write_config(&fixture, BAD);
    WAIT_UNTIL((manager_restart(&manager, SIGTERM), /* the file is written after the answer */
                fixture_status(&fixture).limits.max_physical_bytes == 48 * MIB));
    mb_release(lease);
    mb_disconnect(client);
    manager_stop(&manager);
}

/* Starts a daemon in a service's environment, with a bad file; returns how it ended. */
static int start_bad(const char *names)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char program[640];
        fixture_program("membrokerd", program, sizeof program);
        cr_assert(freopen(fixture.log, "ae", stderr));
        (void)setenv("STATE_DIRECTORY", fixture.directory, 1);
        (void)setenv("NOTIFY_SOCKET", "/nowhere", 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
        (void)execl(program, program, "--config", fixture.config, (char *)NULL);
        _exit(127);
    }
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The unit's RestartPreventExitStatus= then has the service fail, which would drop leases that wait. */
Test(configuration, a_service_without_a_good_configuration_fails_unless_leases_wait)
{
    fixture_prepare(&fixture, BAD);
    cr_expect_eq(start_bad("membroker.socket"), EX_CONFIG);
    cr_expect_eq(start_bad("membroker.socket:membroker-table"), EXIT_FAILURE, "tried again, and nothing is dropped");
    fixture_remove(&fixture);
}
