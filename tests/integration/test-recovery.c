/* SPDX-License-Identifier: Apache-2.0 */
/* Going on after a loss: the event of a new session, the wait for the connection, and the documented program. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(recovery, .timeout = 120);

static atomic_int new_sessions, resumed, lost;

static void on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    new_sessions += event->type == MB_EVENT_NEW_SESSION;
    resumed += event->type == MB_EVENT_RESUMED;
    lost += event->type == MB_EVENT_LEASE_LOST;
}

static mb_client *connect_listening(unsigned flags)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *listening = NULL;
    options.socket = fixture.socket;
    options.flags = flags;
    options.on_event = on_event;
    cr_assert(mb_connect(&options, &listening) == 0, "%s", mb_last_error());
    return listening;
}

static void kill_daemon(void)
{
    cr_assert(kill(fixture.daemon, SIGKILL) == 0 && waitpid(fixture.daemon, NULL, 0) == fixture.daemon);
}

/* ---- waiting ---- */

/* Without a service manager a broker that died has taken every lease with it. */
static void lose_and_go_on(unsigned flags)
{
    mb_lease *lease;
    fixture_start(&fixture, "");
    mb_client *single = connect_listening(flags);
    cr_assert(mb_wait_connected(single, 0) == 0, "it is");
    cr_assert(mb_acquire(single, MIB, NULL, &lease) == 0);
    kill_daemon();
    WAIT_UNTIL(mb_wait_connected(single, 0) < 0);
    cr_expect_eq(mb_wait_connected(single, 20), -ETIMEDOUT);
    EXPECT_SENTENCE("within 20 ms");
    WAIT_UNTIL(mb_wait_connected(single, 0) < 0 && mb_lease_check(lease) == -ESTALE);
    fixture_launch(&fixture);
    cr_assert(mb_wait_connected(single, 30000) == 0, "%s", mb_last_error());
    WAIT_UNTIL(new_sessions == 1);
    cr_expect(lost == 1 && resumed == 0);
    cr_expect_eq(mb_release(lease), -ESTALE);
    cr_assert(mb_acquire(single, MIB, NULL, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_release(lease) == 0);
    mb_disconnect(single);
    fixture_stop(&fixture);
}

Test(recovery, a_client_with_a_thread_is_told_of_its_new_session)
{
    lose_and_go_on(0);
}

Test(recovery, a_client_without_a_thread_waits_and_is_told_too)
{
    lose_and_go_on(MB_CLIENT_NO_THREAD);
}

/* The connection breaks, the daemon does not. */
Test(recovery, a_resumed_session_is_not_a_new_session)
{
    mb_lease *lease;
    fixture_start(&fixture, "");
    mb_client *single = connect_listening(0);
    cr_assert(mb_acquire(single, MIB, NULL, &lease) == 0);
    for (int fd = 3; fd < 256; fd++) { /* the library's socket is one of these */
        (void)shutdown(fd, SHUT_RDWR);
    }
    WAIT_UNTIL(resumed == 1);
    cr_expect(new_sessions == 0 && lost == 0);
    cr_assert(mb_wait_connected(single, 30000) == 0);
    cr_expect(mb_lease_check(lease) == 0);
    (void)mb_release(lease);
    mb_disconnect(single);
    fixture_stop(&fixture);
}

static atomic_int in_callback;

static void wait_in_callback(const mb_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == MB_EVENT_LEASE_LOST) {
        in_callback = mb_wait_connected(event->client, 30000);
    }
}

Test(recovery, a_callback_must_not_wait_for_the_connection)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *single;
    mb_lease *lease;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.on_event = wait_in_callback;
    cr_assert(mb_connect(&options, &single) == 0 && mb_acquire(single, MIB, NULL, &lease) == 0);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(lease)) == ERROR_UNSPECIFIED);
    WAIT_UNTIL(in_callback == -EDEADLK);
    (void)mb_release(lease);
    mb_disconnect(single);
    fixture_stop(&fixture);
}

/* ---- a cycle whose lease is lost in the middle ---- */

static mb_workspace_config sized(uint64_t bytes)
{
    mb_workspace_config config = default_config();
    config.initial_size = bytes;
    return config;
}

Test(recovery, a_cycle_detects_a_lost_arena)
{
    fixture_start(&fixture, "");
    client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_workspace *workspace = open_named(client, "arena", sized(65536));
    ENTER(workspace);
    char *data = ALLOC(workspace, 100);
    cr_expect_eq(mb_workspace_check(workspace), 0);
    cr_assert(fixture_revoke(&fixture, mb_lease_id(mb_workspace_lease(workspace))) == ERROR_UNSPECIFIED);
    cr_expect_eq(mb_workspace_check(workspace), -ESTALE);
    EXPECT_SENTENCE("revoked");
    WAIT_UNTIL(used() == 0);
    cr_expect_eq(data[0], 0, "the guard's zero pages: only the check tells");
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_enter(workspace), -ESTALE);
    mb_workspace_close(workspace);
    workspace = open_named(client, "arena", sized(65536));
    cycle_of(workspace, 100);
    mb_workspace_close(workspace);
    end();
}

Test(recovery, a_cycle_detects_a_lost_spill)
{
    fixture_start(&fixture, "");
    client = fixture_connect(&fixture, MB_CLIENT_GUARD);
    mb_workspace *workspace = open_named(client, "spilling", default_config());
    ENTER(workspace);
    (void)ALLOC(workspace, 100);
    cr_expect_eq(mb_workspace_check(workspace), 0);
    cr_assert(fixture_revoke(&fixture, 1) == ERROR_UNSPECIFIED);
    cr_expect_eq(mb_workspace_check(workspace), -ESTALE);
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_check(workspace), 0, "what was spilled is the cycle's");
    mb_workspace_close(workspace);
    end();
}

/* ---- the documented program ---- */

static pid_t start_program(FILE **ret_output)
{
    char path[640];
    int ends[2];
    fixture_program("demo/recovering", path, sizeof path);
    cr_assert(pipe(ends) == 0);
    pid_t program = fork();
    if (program == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)setenv("MEMBROKER_SOCKET", fixture.socket, 1);
        (void)execl(path, path, "100", "20", (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    *ret_output = fdopen(ends[0], "r");
    return program;
}

/* Its leases are revoked again and again, then the broker dies and another takes its place. */
Test(recovery, the_documented_program_continues_after_a_lost_lease)
{
    FILE *output;
    int steps = 0, repeated = 0, status, revoked = 0;
    fixture_start(&fixture, "");
    pid_t program = start_program(&output);
    for (uint64_t lease = 1; revoked < 3; lease++) {
        WAIT_UNTIL(fixture_status(&fixture).leases > 0);
        revoked += fixture_revoke(&fixture, lease) == ERROR_UNSPECIFIED;
    }
    WAIT_UNTIL(fixture_status(&fixture).leases > 0);
    kill_daemon();
    sleep_ms(50);
    fixture_launch(&fixture);
    cr_expect_eq(fscanf(output, "%d steps, %d of them", &steps, &repeated), 2);
    cr_assert(waitpid(program, &status, 0) == program);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    cr_expect_eq(steps, 100);
    cr_expect(repeated >= 2, "%d were made again", repeated); /* two leases of one step may be revoked */
    (void)fclose(output);
    fixture_stop(&fixture);
}
