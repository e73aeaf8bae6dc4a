/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user who uses each of its subordinate user ids from a user namespace is charged as one user. Becoming
 * another user needs root, and the namespace the kernel's leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

enum { OWNER = 4001, RANGE = 500000, RANGE_SIZE = 100, CALLERS = 5, CAPABILITY_SYS_PTRACE = 19, FORBIDDEN = 77 };

static const char quotas[] = "[user *]\nmax_physical_bytes = 4M\nmax_sessions = 3\n";

TestSuite(user_namespaces, .timeout = 60);

static void begin(struct fixture *fixture)
{
    if (geteuid() != 0) {
        cr_skip("becoming another user needs root");
    }
    fixture_start(fixture, quotas);
    cr_assert(chmod(fixture->socket, 0666) == 0);
}

/* ---- the process in the namespace ---- */

struct child {
    pid_t pid;
    int go, ready; /* pipes: the map is written; the namespace is there */
};

static bool write_map(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    char map[64];
    int length = snprintf(map, sizeof map, "0 %d 1\n1 %d %d\n", OWNER, RANGE, RANGE_SIZE);
    return fd >= 0 && write(fd, map, (size_t)length) == length;
}

/* Connects as this user of the namespace, whose root we are. */
static int connect_as(const struct fixture *fixture, uid_t uid, mb_client **ret)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = fixture->socket;
    options.name = "many";
    options.flags = MB_CLIENT_NO_THREAD;
    if (setresuid((uid_t)-1, uid, (uid_t)-1) < 0) {
        return -errno;
    }
    int result = mb_connect(&options, ret);
    return setresuid((uid_t)-1, 0, (uid_t)-1) < 0 ? -errno : result;
}

/* Bytes are charged to one user: 3 of 4 MiB are granted and 3 more are not, whichever id asks. */
static int share_bytes(const struct fixture *fixture)
{
    mb_client *first, *second;
    mb_lease *lease;
    if (connect_as(fixture, 1, &first) < 0 || connect_as(fixture, 2, &second) < 0) {
        return 1;
    }
    if (mb_acquire(first, 3 * MIB, NULL, &lease) < 0) {
        return 2;
    }
    if (mb_acquire(second, 3 * MIB, NULL, &lease) != -ENOMEM) {
        return 3;
    }
    return strstr(mb_last_error(), "user 4001's max_physical_bytes") ? 0 : 4;
}

/* So are sessions. */
static int share_sessions(const struct fixture *fixture)
{
    mb_client *client;
    int connected = 0;
    for (uid_t uid = 1; uid <= CALLERS; uid++) {
        connected += connect_as(fixture, uid, &client) == 0;
    }
    return connected == 3 ? 0 : 10 + connected;
}

/* Stays, for who looks from outside. */
static int stay(const struct fixture *fixture)
{
    mb_client *client;
    int result = connect_as(fixture, 7, &client);
    if (result < 0) {
        return 1;
    }
    (void)pause();
    return 0;
}

static void live(const struct fixture *fixture, const struct child *child, int (*body)(const struct fixture *))
{
    char byte;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool became = setgroups(0, NULL) == 0 && setgid(OWNER) == 0 && setuid(OWNER) == 0;
    bool has_namespace = became && unshare(CLONE_NEWUSER) == 0;
    (void)prctl(PR_SET_DUMPABLE, 1);
    (void)!write(child->ready, &(char){has_namespace}, 1);
    if (!has_namespace || read(child->go, &byte, 1) != 1 || setresuid(0, 0, 0) < 0) {
        _exit(FORBIDDEN);
    }
    _exit(body(fixture));
}

static struct child enter(const struct fixture *fixture, int (*body)(const struct fixture *))
{
    int go[2], ready[2];
    char byte = 0;
    cr_assert(pipe(go) == 0 && pipe(ready) == 0);
    struct child child = {.go = go[0], .ready = ready[1]};
    child.pid = fork();
    if (child.pid == 0) {
        live(fixture, &child, body);
    }
    bool may = read(ready[0], &byte, 1) == 1 && byte && write_map(child.pid) && write(go[1], "", 1) == 1;
    if (!may) {
        fixture_discard((struct fixture *)(uintptr_t)fixture);
        cr_skip("this kernel lets no user make a user namespace");
    }
    return child;
}

static int status_of(const struct child *child)
{
    int status;
    cr_assert(waitpid(child->pid, &status, 0) == child->pid && WIFEXITED(status), "it died");
    return WEXITSTATUS(status);
}

/* ---- by the namespace, as a daemon that is root sees it ---- */

Test(user_namespaces, the_owner_is_charged_for_bytes)
{
    struct fixture fixture;
    begin(&fixture);
    struct child child = enter(&fixture, share_bytes);
    cr_expect_eq(status_of(&child), 0);
    fixture_stop(&fixture);
}

Test(user_namespaces, the_owner_is_charged_for_sessions)
{
    struct fixture fixture;
    begin(&fixture);
    struct child child = enter(&fixture, share_sessions);
    cr_expect_eq(status_of(&child), 0);
    fixture_stop(&fixture);
}

Test(user_namespaces, sessions_show_the_charged_user)
{
    struct fixture fixture;
    struct request list = {.kind = REQUEST_LIST, .list = {.what = LIST_SESSIONS}};
    struct reply reply;
    char command[700], ctl[512];
    begin(&fixture);
    struct child child = enter(&fixture, stay);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 1);
    cleanup(fd_closep) int fd = fixture_socket(&fixture);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && fixture_exchange(fd, &list, &reply, NULL));
    cr_assert(reply.kind == REPLY_LISTING && reply.listing.session_count == 1);
    cr_expect_eq(reply.listing.sessions[0].uid, RANGE + 6);
    cr_expect_eq(reply.listing.sessions[0].charged_uid, OWNER);
    fixture_program("membrokerctl", ctl, sizeof ctl);
    (void)snprintf(command, sizeof command, "%s --socket %s sessions | grep -q '500006 (4001)'", ctl, fixture.socket);
    cr_expect_eq(system(command), 0);
    (void)kill(child.pid, SIGKILL);
    (void)waitpid(child.pid, NULL, 0);
    WAIT_UNTIL(fixture_status(&fixture).sessions == 0);
    fixture_stop(&fixture);
}

/* ---- by subuid(5), where the daemon may not look at other users' processes ---- */

/* A file of our own in the place of /etc/subuid, for this process and its children alone. */
static bool give_range(const char *line)
{
    char path[] = "/tmp/membroker-subuid-XXXXXX";
    cleanup(fd_closep) int fd = mkstemp(path);
    bool is_written = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fchmod(fd, 0644) == 0;
    bool is_there = is_written && unshare(CLONE_NEWNS) == 0 &&
                    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                    (access("/etc/subuid", F_OK) == 0 || close(open("/etc/subuid", O_CREAT | O_WRONLY, 0644)) == 0) &&
                    mount(path, "/etc/subuid", NULL, MS_BIND, NULL) == 0;
    (void)unlink(path);
    return is_there;
}

Test(user_namespaces, subordinate_ids_are_charged_to_the_user_they_were_given_to)
{
    struct fixture fixture;
    char line[64];
    (void)snprintf(line, sizeof line, "%d:%d:%d\n", OWNER, RANGE, RANGE_SIZE);
    if (geteuid() != 0 || !give_range(line)) {
        cr_skip("no file can be mounted over /etc/subuid here");
    }
    cr_assert(prctl(PR_CAPBSET_DROP, CAPABILITY_SYS_PTRACE) == 0); /* the daemon, which is exec()ed, has it no more */
    begin(&fixture);
    struct child child = enter(&fixture, share_bytes);
    cr_expect_eq(status_of(&child), 0);
    fixture_stop(&fixture);
}

/* A set-user-id file, made inside the namespace by a subordinate id, runs as that id outside of it. */
static int take_as(const struct fixture *fixture, uid_t uid)
{
    mb_lease *lease;
    if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) {
        return 2;
    }
    mb_client *client = fixture_connect(fixture, 0);
    int result = mb_acquire(client, 3 * MIB, NULL, &lease);
    if (result == 0 && uid == RANGE + 1) {
        (void)pause();
    }
    return result < 0 ? 1 : 0;
}

/* From a user namespace that the subordinate id has made itself: the kernel names that id as its owner. */
static int take_from_own_namespace(const struct fixture *fixture)
{
    uid_t uid = RANGE + 2;
    mb_lease *lease;
    if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 || unshare(CLONE_NEWUSER) < 0) {
        return 2;
    }
    return mb_acquire(fixture_connect(fixture, 0), 3 * MIB, NULL, &lease) < 0 ? 1 : 0;
}

static int take_as_first(const struct fixture *fixture)
{
    return take_as(fixture, RANGE + 1);
}

static int take_as_second(const struct fixture *fixture)
{
    return take_as(fixture, RANGE + 2);
}

Test(user_namespaces, subordinate_ids_are_charged_to_their_owner_outside_of_a_namespace)
{
    struct fixture fixture;
    char line[64];
    int status;
    (void)snprintf(line, sizeof line, "%d:%d:%d\n", OWNER, RANGE, RANGE_SIZE);
    if (geteuid() != 0 || !give_range(line)) {
        cr_skip("no file can be mounted over /etc/subuid here");
    }
    begin(&fixture);
    pid_t first = fixture_fork(take_as_first, &fixture);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 3 * MIB);
    pid_t second = fixture_fork(take_as_second, &fixture);
    cr_assert(waitpid(second, &status, 0) == second);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "both are one user, who may have 4 MiB: %#x", status);
    pid_t third = fixture_fork(take_from_own_namespace, &fixture);
    cr_assert(waitpid(third, &status, 0) == third);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "a namespace of its own changes nothing: %#x", status);
    (void)kill(first, SIGKILL);
    (void)waitpid(first, NULL, 0);
    fixture_stop(&fixture);
}
