/* SPDX-License-Identifier: Apache-2.0 */
/* What another user, and a client that misbehaves, can't do: by real processes of other users. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/workspaces.h"

TestSuite(access, .timeout = 60);

enum { ALICE = 4001, BOB = 4002, OPERATORS = 4100, GUESTS = 4200 };

static void begin_for_all(const char *settings)
{
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    fixture_start(&fixture, settings);
    cr_assert(chmod(fixture.socket, 0666) == 0);
}

/* Runs `body` as that user, in that group besides its own; its exit status. */
static int as_user(uid_t uid, gid_t group, int (*body)(const struct fixture *of))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        bool became = setgroups(group ? 1 : 0, &group) == 0 && setgid(uid) == 0 && setuid(uid) == 0;
        _exit(became ? body(&fixture) : 99);
    }
    cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- bodies; each ends with what it saw ---- */

static int say_hello(const struct fixture *of)
{
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(of);
    return fd < 0 || !fixture_hello(fd, false, &reply, NULL) ? 98
           : reply.kind == REPLY_WELCOME                     ? 0
                                                             : (int)reply.error.code;
}

static uint64_t somebodys_lease;

static int revoke_it(const struct fixture *of)
{
    return (int)fixture_revoke(of, somebodys_lease);
}

static int audit_it(const struct fixture *of)
{
    struct request request = {.kind = REQUEST_AUDIT};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(of);
    if (!fixture_hello(fd, true, &reply, NULL) || !fixture_exchange(fd, &request, &reply, NULL)) {
        return 95;
    }
    return reply.kind == REPLY_AUDIT ? 0 : (int)reply.error.code;
}

static size_t list(const struct fixture *of, enum list_what what)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = what}};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(of);
    bool listed = fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &request, &reply, NULL) &&
                  reply.kind == REPLY_LISTING;
    return !listed ? 97 : what == LIST_SESSIONS ? reply.listing.session_count : reply.listing.lease_count;
}

static int count_leases(const struct fixture *of)
{
    return (int)list(of, LIST_LEASES) + 10 * (int)list(of, LIST_SESSIONS);
}

static int be_refused(const struct fixture *of)
{
    mb_client *child = fixture_connect(of, 0);
    mb_lease *lease;
    int result = mb_acquire(child, 60 * MIB, NULL, &lease);
    bool tells_user = strstr(mb_last_error(), "uid 0") != NULL, tells_name = strstr(mb_last_error(), "secretive");
    mb_disconnect(child);
    return result != -ENOMEM ? 50 : tells_user && !tells_name ? 0 : 51;
}

static struct token stolen;
static uint64_t stolen_session;

static int resume_with_it(const struct fixture *of)
{
    struct reply reply;
    struct request hello = {.kind = REQUEST_HELLO};
    cleanup(fd_closep) int fd = fixture_socket(of);
    hello.hello = (struct hello_request){.protocol_min = 1,
                                         .protocol_max = 1,
                                         .name = "thief",
                                         .resume = true,
                                         .session = stolen_session,
                                         .token = stolen};
    return !fixture_exchange(fd, &hello, &reply, NULL) ? 96 : reply.kind == REPLY_WELCOME ? 0 : (int)reply.error.code;
}

static int open_many(const struct fixture *of)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = of->socket;
    options.flags = MB_CLIENT_NO_THREAD;
    for (int opened = 0; opened < 20; opened++) {
        mb_client *one;
        int result = mb_connect(&options, &one);
        if (result < 0) {
            return result == -EMFILE && strstr(mb_last_error(), "max_connections") ? opened : 94;
        }
    }
    return 93;
}

/* ---- access ---- */

Test(access, the_lists_decide_who_may_connect)
{
    begin_for_all("[access]\nallow_users = 4001\nallow_groups = 4100\ndeny_groups = 4200\n");
    cr_expect_eq(as_user(ALICE, 0, say_hello), 0);
    cr_expect_eq(as_user(BOB, 0, say_hello), ERROR_NOT_PERMITTED);
    cr_expect_eq(as_user(BOB, OPERATORS, say_hello), 0);
    cr_expect_eq(as_user(ALICE, GUESTS, say_hello), ERROR_NOT_PERMITTED);
    cr_expect_eq(say_hello(&fixture), 0, "root");
    fixture_write_config(&fixture, "[access]\ndeny_users = 4001\n");
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(as_user(ALICE, 0, say_hello) == ERROR_NOT_PERMITTED);
    cr_expect_eq(as_user(BOB, 0, say_hello), 0);
    fixture_stop(&fixture);
}

Test(access, users_see_and_revoke_their_own_leases_and_administrators_all_leases)
{
    mb_lease *lease;
    begin_for_all("[access]\nadmin_groups = 4100\n[limits]\nmax_physical_bytes = 64M\n");
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = fixture.socket;
    options.name = "secretive";
    cr_assert(mb_connect(&options, &client) == 0 && mb_acquire(client, 8 * MIB, NULL, &lease) == 0);
    somebodys_lease = mb_lease_id(lease);
    cr_expect_eq(as_user(ALICE, 0, count_leases), 0);
    cr_expect_eq(as_user(ALICE, OPERATORS, count_leases), 11);
    cr_expect_eq(count_leases(&fixture), 11);
    cr_expect_eq(as_user(ALICE, 0, be_refused), 0, "a refusal says which user, not which process");
    cr_expect_eq(as_user(ALICE, 0, revoke_it), ERROR_NOT_PERMITTED);
    cr_expect_eq(mb_lease_check(lease), 0);
    cr_expect_eq(as_user(ALICE, 0, audit_it), ERROR_NOT_PERMITTED);
    cr_expect_eq(as_user(ALICE, OPERATORS, audit_it), 0);
    cr_expect_eq(as_user(ALICE, OPERATORS, revoke_it), 0);
    WAIT_UNTIL(mb_lease_check(lease) == -ESTALE);
    fixture_write_config(&fixture, "[access]\nsee_all = yes\n");
    cr_assert(kill(fixture.daemon, SIGHUP) == 0);
    WAIT_UNTIL(as_user(ALICE, 0, count_leases) == 10);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

Test(access, a_stolen_token_is_useless)
{
    struct reply reply;
    int control = -1;
    begin_for_all("");
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, false, &reply, &control) && reply.kind == REPLY_WELCOME);
    stolen = reply.welcome.token;
    stolen_session = reply.welcome.session;
    cr_expect_eq(as_user(ALICE, 0, resume_with_it), ERROR_NO_SUCH_SESSION, "not to another user");
    pid_t child = fixture_fork(resume_with_it, &fixture);
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect_eq(WEXITSTATUS(status), ERROR_NO_SUCH_SESSION, "nor to another process");
    stolen.bytes[15] ^= 1;
    cr_expect_eq(resume_with_it(&fixture), ERROR_NO_SUCH_SESSION);
    (void)close(fd);
    (void)close(control);
    fixture_stop(&fixture);
}

/* ---- bounds ---- */

/* As another user: received descriptors can't be changed. */
static int reopen(const struct fixture *of)
{
    struct reply reply;
    char path[64];
    int control, segment;
    struct request request = {.kind = REQUEST_ACQUIRE,
                              .acquire = {.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1, .name = "r"}};
    cleanup(fd_closep) int fd = fixture_socket(of);
    if (!fixture_hello(fd, false, &reply, &control) || !fixture_exchange(fd, &request, &reply, &segment)) {
        return 90;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", control);
    if (open(path, O_RDWR | O_CLOEXEC) >= 0 || errno != EACCES) {
        return 91;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", segment);
    return open(path, O_RDWR | O_CLOEXEC) >= 0 || errno != EACCES ? 92 : 0;
}

Test(access, a_read_only_descriptor_can_not_be_reopened_for_writing)
{
    begin_for_all("");
    cr_expect_eq(as_user(ALICE, 0, reopen), 0);
    fixture_stop(&fixture);
}

/* In user and process namespaces of its own, as a container's process is. */
static int live_in_a_container(const struct fixture *of)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
        return 77;
    }
    pid_t child = fork();
    if (child == 0) {
        mb_lease *lease;
        mb_client *inside = fixture_connect(of, 0);
        void *data;
        bool has = getpid() == 1 && mb_acquire(inside, MIB, NULL, &lease) == 0 && mb_map(lease, 0, &data, NULL) == 0;
        if (has) {
            memset(data, 1, MIB);
        }
        bool may = has && fixture_revoke(of, somebodys_lease) != ERROR_NOT_PERMITTED;
        _exit(!has ? 80 : may ? 81 : 0); /* without a word to the broker */
    }
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 82;
}

Test(access, a_process_in_a_container_is_a_client_like_any_other_and_its_death_is_noticed)
{
    mb_lease *lease;
    begin_for_all("[leases]\nreconnect_grace = 1h\n");
    mb_client *outside = fixture_connect(&fixture, 0);
    cr_assert(mb_acquire(outside, 2 * MIB, NULL, &lease) == 0);
    somebodys_lease = mb_lease_id(lease);
    int saw = as_user(ALICE, 0, live_in_a_container);
    if (saw == 77) {
        cr_skip("this kernel lets users have no namespaces");
    }
    cr_expect_eq(saw, 0, "%d", saw);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 2 * MIB);
    cr_expect_eq(mb_lease_check(lease), 0);
    mb_disconnect(outside);
    fixture_stop(&fixture);
}

Test(access, connections_of_a_user_are_limited)
{
    begin_for_all("[clients]\nmax_connections = 7\n");
    cr_expect_eq(as_user(ALICE, 0, open_many), 7);
    WAIT_UNTIL(as_user(ALICE, 0, say_hello) == 0);
    fixture_stop(&fixture);
}

Test(access, a_silent_client_is_disconnected)
{
    struct reply reply;
    fixture_start(&fixture, "[clients]\nhandshake_time = 100ms\n");
    int silent = fixture_socket(&fixture), greeted = fixture_socket(&fixture);
    cr_assert(silent >= 0 && fixture_hello(greeted, true, &reply, NULL));
    cr_assert(fixture_receive(silent, &reply, NULL));
    cr_expect_eq(reply.error.code, ERROR_NOT_GREETED);
    cr_expect(strstr(reply.error.sentence, "handshake_time"), "%s", reply.error.sentence);
    cr_expect(!fixture_receive(silent, &reply, NULL), "and the connection is over");
    struct request ping = {.kind = REQUEST_PING};
    cr_expect(fixture_exchange(greeted, &ping, &reply, NULL), "a monitor may be silent afterwards");
    (void)close(silent);
    (void)close(greeted);
    fixture_stop(&fixture);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(access, a_flood_of_messages_is_read_slowly)
{
    struct reply reply;
    fixture_start(&fixture, "[clients]\nmax_messages = 100\n");
    int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL));
    double begun = seconds();
    for (int i = 0; i < 500; i++) {
        struct request ping = {.kind = REQUEST_PING};
        cr_assert(fixture_exchange(fd, &ping, &reply, NULL));
    }
    cr_expect_gt(seconds() - begun, 2.0, "five seconds' worth, each begun second counts");
    (void)close(fd);
    fixture_stop(&fixture);
}

Test(access, requests_in_progress_are_limited)
{
    struct reply reply;
    fixture_start(&fixture, "[clients]\nmax_requests = 3\n[limits]\nmax_physical_bytes = 64M\n");
    int fd = fixture_socket(&fixture), refused = 0;
    cr_assert(fixture_hello(fd, false, &reply, NULL));
    client = fixture_connect(&fixture, 0);
    mb_lease *all;
    cr_assert(mb_acquire(client, 64 * MIB, NULL, &all) == 0);
    for (uint64_t i = 0; i < 5; i++) {
        struct request request = {.kind = REQUEST_ACQUIRE, .id = 100 + i};
        request.acquire = (struct acquire_request){
            .bytes = MIB, .location = LOCATION_RAM, .numa_node = -1, .wait_ms = 60000, .name = "w"};
        cr_assert(fixture_send(fd, &request));
    }
    for (int i = 0; i < 2; i++) {
        cr_assert(fixture_receive(fd, &reply, NULL));
        refused += reply.kind == REPLY_ERROR && reply.error.code == ERROR_TOO_MANY &&
                   strstr(reply.error.sentence, "max_requests");
    }
    cr_expect_eq(refused, 2);
    cr_expect_eq(fixture_status(&fixture).waiting, 3);
    (void)close(fd);
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static int connect_in_vain(const struct fixture *of)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *mine;
    options.socket = of->socket;
    bool is_told = mb_connect(&options, &mine) == -EACCES &&
                   strstr(mb_last_error(), "only members of group 4100 may connect (mode 0660, owner root)");
    return is_told ? 0 : 1;
}

Test(access, a_user_outside_the_sockets_group_is_told_which_group_it_is)
{
    begin_for_all("");
    cr_assert(chown(fixture.socket, 0, OPERATORS) == 0 && chmod(fixture.socket, 0660) == 0);
    cr_expect_eq(as_user(ALICE, 0, connect_in_vain), 0);
    cr_expect_eq(as_user(ALICE, OPERATORS, say_hello), 0);
    fixture_stop(&fixture);
}
